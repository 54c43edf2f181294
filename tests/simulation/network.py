"""A network that loses, delays, repeats and reorders what it is given, and cuts nodes off from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.world import MS, US, S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.world import Act, World

    Answered = Callable[[bytes], None]


class Weather(NamedTuple):
    """How bad the network is: probabilities per message."""

    lost: float = 0.0
    repeated: float = 0.0
    late: float = 0.0


CALM = Weather()


class Network:
    """Carries messages between nodes by name."""

    def __init__(self, world: World, weather: Weather) -> None:
        self._world = world
        self.weather = weather
        self.cut: set[str] = set()

    def send(self, sender: str, receiver: str, arrive: Act) -> None:
        """Let a message arrive: usually soon and once."""
        world, weather = self._world, self.weather
        for _ in range(2 if world.chance(weather.repeated) else 1):
            if world.chance(weather.lost) or sender in self.cut or receiver in self.cut:
                continue
            late = world.chance(weather.late)
            world.after(world.between(500 * MS, 60 * S) if late else world.between(50 * US, 20 * MS), arrive)

    def call(
        self, sender: str, receiver: str, handle: Callable[[Callable[[bytes], None]], None], answered: Answered
    ) -> None:
        """Let `receiver` handle a call, and bring what it answers back, as often as it does."""

        def reply(data: bytes) -> None:
            self.send(receiver, sender, lambda: answered(data))

        self.send(sender, receiver, lambda: handle(reply))

    def heal(self) -> None:
        """From now on everything arrives."""
        self.weather = CALM
        self.cut.clear()
