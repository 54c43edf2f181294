"""Cut the orders of the demo out of the Online Retail data: its two busiest weeks, merchandise only.

`python -m demo.cut SOURCE.csv.xz` writes `orders.csv.xz` and the README.md beside it that says what was cut.
The same source always gives the same lines and the same text.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import lzma
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

COLUMNS = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "Country", "CustomerID", "UnitPrice")
WINDOW_DAYS = 14

# Charges, discounts, fees, samples and corrections are booked like articles, but are not on any shelf.
NOT_MERCHANDISE = frozenset({"AMAZONFEE", "BANK CHARGES", "C2", "D", "DOT", "M", "POST", "S"})
VOUCHER_PREFIX = "GIFT_"

# The ids the service accepts; a code outside it must not get into the demo unseen.
SKU_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")

README = """\
# Demo data

`orders.csv.xz` is a cut of a real order book. The network and the stock it is played against are made up.

Source: D. Chen, *Online Retail*, UCI Machine Learning Repository, 2015,
[doi:10.24432/C5BW33](https://doi.org/10.24432/C5BW33), licence
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Changed as described here; the cut has the same
licence.

## The cut

Made by `python -m demo.cut {source_name}` from {source_lines:,} lines
(SHA-256 of the source file `{source_sha256}`). This page is written by the same command.

- **Two weeks**: the {window_days} days in a row with the most merchandise lines, {first} to {last}.
- **Merchandise only**: {dropped_lines:,} lines of those days were dropped ({dropped}).
- **Kept**: cancellations (the invoice number begins with C) and negative lines (returns, and write-offs
  without a customer).
- **Columns**: {columns}. Description is dropped.
- **Normalised**: stock codes in capitals, because the source writes one article both ways (85123a, 85123A);
  customer numbers without the decimals of the source (17850.0 is 17850), empty where unknown.
- The rest is as in the source, in its order. Times are local to the United Kingdom and carry no zone.

## Counts

| what | count |
| --- | ---: |
{counts}
"""

Line = dict[str, str]


def main() -> None:
    """Write the cut and its README; end with a message and exit status 1 at a code that is no SKU id."""
    parser = argparse.ArgumentParser(prog="python -m demo.cut", description=__doc__)
    parser.add_argument("source", type=Path, help="Online Retail as CSV, compressed with xz")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data", help="folder to write to")
    args = parser.parse_args()

    lines = list(read_lines(args.source))
    first, last = busiest_window(line for line in lines if is_merchandise(line))
    window = [line for line in lines if first <= day_of(line) <= last]
    orders = [line for line in window if is_merchandise(line)]
    check_codes(orders)

    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "orders.csv.xz").write_bytes(lzma.compress(to_csv(orders), preset=9 | lzma.PRESET_EXTREME))
    text = describe(args.source, len(lines), window, orders, first, last)
    (args.out / "README.md").write_text(text, encoding="utf-8")
    print(text)


def read_lines(source: Path) -> Iterator[Line]:
    """Yield the lines of the source in its order, reduced to `COLUMNS` and normalised."""
    with lzma.open(source, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            line = {column: row[column] for column in COLUMNS}
            line["StockCode"] = line["StockCode"].upper()
            line["CustomerID"] = line["CustomerID"].removesuffix(".0")
            yield line


def is_merchandise(line: Line) -> bool:
    """Tell an article from a charge, a fee, a correction or a voucher."""
    code = line["StockCode"]
    return code not in NOT_MERCHANDISE and not code.startswith(VOUCHER_PREFIX)


def day_of(line: Line) -> date:
    """Return the calendar day a line was invoiced on."""
    return date.fromisoformat(line["InvoiceDate"][:10])


def busiest_window(lines: Iterable[Line]) -> tuple[date, date]:
    """Return the first and last of the `WINDOW_DAYS` days in a row with most lines; the earliest of a tie."""
    lines_on = Counter(map(day_of, lines))
    days = [timedelta(days=offset) for offset in range(WINDOW_DAYS)]
    first = max(sorted(lines_on), key=lambda start: sum(lines_on[start + offset] for offset in days))
    return first, first + days[-1]


def check_codes(orders: Iterable[Line]) -> None:
    """Refuse a cut that holds a stock code which is no valid SKU id."""
    odd = sorted({line["StockCode"] for line in orders if not SKU_PATTERN.fullmatch(line["StockCode"])})
    if odd:
        sys.exit(f"stock codes that are no valid SKU ids: {odd}; normalise them in read_lines or drop them")


def to_csv(orders: Iterable[Line]) -> bytes:
    """Return the lines as UTF-8 CSV with a header and plain line feeds."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(orders)
    return text.getvalue().encode()


def count(orders: list[Line]) -> dict[str, str]:
    """Return the counts the README shows, by what is counted."""
    lines_of = Counter(line["InvoiceNo"] for line in orders)
    cancelled = [line for line in orders if line["InvoiceNo"].startswith("C")]
    negative = [line for line in orders if int(line["Quantity"]) < 0]
    write_offs = [line for line in negative if not line["InvoiceNo"].startswith("C")]
    ordered = [line for line in orders if int(line["Quantity"]) > 0]
    busiest_day, busiest_lines = Counter(map(day_of, orders)).most_common(1)[0]
    largest, largest_lines = lines_of.most_common(1)[0]
    return {
        "lines": f"{len(orders):,}",
        "lines with a positive quantity": f"{len(ordered):,}",
        "units on them": f"{sum(int(line['Quantity']) for line in ordered):,}",
        "lines of cancellations": f"{len(cancelled):,}",
        "negative lines that are no cancellation": f"{len(write_offs):,}",
        "lines without a customer": f"{sum(not line['CustomerID'] for line in orders):,}",
        "invoices": f"{len(lines_of):,}",
        "of these cancellations": f"{sum(number.startswith('C') for number in lines_of):,}",
        "SKUs": f"{len({line['StockCode'] for line in orders}):,}",
        "customers": f"{len({line['CustomerID'] for line in orders} - {''}):,}",
        "countries": f"{len({line['Country'] for line in orders}):,}",
        "days with orders": f"{len(set(map(day_of, orders))):,}",
        f"lines on the busiest day, {busiest_day}": f"{busiest_lines:,}",
        f"lines of the largest invoice, {largest}": f"{largest_lines:,}",
        "SHA-256 of the CSV inside": f"`{hashlib.sha256(to_csv(orders)).hexdigest()}`",
    }


def describe(source: Path, source_lines: int, window: list[Line], orders: list[Line], first: date, last: date) -> str:
    """Return the README of a cut: attribution, what was done, counts."""
    dropped = Counter(line["StockCode"] for line in window if not is_merchandise(line))
    return README.format(
        source_name=source.name,
        source_lines=source_lines,
        source_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        window_days=WINDOW_DAYS,
        first=first,
        last=last,
        dropped_lines=dropped.total(),
        dropped=", ".join(f"{code} {lines}" for code, lines in sorted(dropped.items())),
        columns=", ".join(COLUMNS),
        counts="\n".join(f"| {what} | {number} |" for what, number in count(orders).items()),
    )


if __name__ == "__main__":
    main()
