-- The PostgreSQL peer's tables, in a schema of their own. Pages of stock are half full, so that the new version of a
-- row fits beside the old one and no index has to change.
CREATE TABLE IF NOT EXISTS stock (
  sku text NOT NULL,
  location text NOT NULL,
  on_hand bigint NOT NULL,
  reserved bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (sku, location)
) WITH (fillfactor = 50);

CREATE TABLE IF NOT EXISTS reservation (
  request_id text PRIMARY KEY,
  state text NOT NULL DEFAULT 'held',
  skus text[] NOT NULL,
  locations text[] NOT NULL,
  units bigint[] NOT NULL,
  created_ms bigint NOT NULL,
  expires_ms bigint NOT NULL
);

CREATE INDEX IF NOT EXISTS reservation_held ON reservation (expires_ms) WHERE state = 'held';

CREATE TABLE IF NOT EXISTS movement (
  source text NOT NULL,
  movement_id text NOT NULL,
  PRIMARY KEY (source, movement_id)
);

-- Hold a single line, in one round trip and one transaction. Stock goes first: a refusal then writes nothing at all. Of
-- two calls with one request id that meet, the unique index fails the second, which then asks again.
-- Returns -1 when it is held, what is available when that is too little, and NULL for a request id that was used.
CREATE OR REPLACE FUNCTION reserve_line(
  in_request_id text, in_sku text, in_location text, in_units bigint, in_created_ms bigint, in_expires_ms bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM reservation WHERE request_id = in_request_id) THEN
    RETURN NULL;
  END IF;
  UPDATE stock SET reserved = reserved + in_units
  WHERE sku = in_sku AND location = in_location AND on_hand - reserved >= in_units;
  IF FOUND THEN
    INSERT INTO reservation (request_id, skus, locations, units, created_ms, expires_ms)
    VALUES (in_request_id, ARRAY[in_sku], ARRAY[in_location], ARRAY[in_units], in_created_ms, in_expires_ms);
    RETURN -1;
  END IF;
  -- Looked up after the stock too: whoever waited for the last unit may have waited for itself.
  IF EXISTS (SELECT FROM reservation WHERE request_id = in_request_id) THEN
    RETURN NULL;
  END IF;
  RETURN coalesce((SELECT on_hand - reserved FROM stock WHERE sku = in_sku AND location = in_location), 0);
END $$;

-- Hold all of several lines or none, likewise. They come sorted by SKU and location, so that no two calls wait for each
-- other. The block around them is what undoes the first ones when a later one is short.
-- Outcome: held; short, with what is available of each line; or known, for a request id that was used.
CREATE OR REPLACE FUNCTION reserve(
  in_request_id text, in_skus text[], in_locations text[], in_units bigint[], in_created_ms bigint, in_expires_ms bigint,
  OUT outcome text, OUT available bigint[], OUT same boolean, OUT known_created_ms bigint, OUT known_expires_ms bigint
) LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM reservation WHERE request_id = in_request_id) THEN
    BEGIN
      FOR n IN 1 .. cardinality(in_skus) LOOP
        UPDATE stock SET reserved = reserved + in_units[n]
        WHERE sku = in_skus[n] AND location = in_locations[n] AND on_hand - reserved >= in_units[n];
        IF NOT FOUND THEN
          RAISE EXCEPTION SQLSTATE 'AL001';
        END IF;
      END LOOP;
      outcome := 'held';
    EXCEPTION WHEN SQLSTATE 'AL001' THEN
      NULL;
    END;
    IF outcome = 'held' THEN
      INSERT INTO reservation (request_id, skus, locations, units, created_ms, expires_ms)
      VALUES (in_request_id, in_skus, in_locations, in_units, in_created_ms, in_expires_ms);
      RETURN;
    END IF;
  END IF;
  -- Looked up after the stock too: whoever waited for the last unit may have waited for itself.
  SELECT 'known', skus = in_skus AND locations = in_locations AND units = in_units, created_ms, expires_ms
  INTO outcome, same, known_created_ms, known_expires_ms
  FROM reservation WHERE request_id = in_request_id;
  IF NOT FOUND THEN
    outcome := 'short';
    available := ARRAY(
      SELECT coalesce(s.on_hand - s.reserved, 0)
      FROM unnest(in_skus, in_locations) WITH ORDINALITY AS w(sku, location, n) LEFT JOIN stock s USING (sku, location)
      ORDER BY w.n
    );
  END IF;
END $$;
