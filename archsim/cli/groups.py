"""Groups of commands with one that needs no name."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click.core import Context


class DefaultCommand(TyperGroup):
    """A group that takes what is no command as the arguments of its first one."""

    first: ClassVar[str] = ""

    @classmethod
    def of(cls, name: str) -> type[DefaultCommand]:
        """Return a group with this command as the first one.

        Args:
            name: of the command.
        """
        return type(f"{name.title()}First", (cls,), {"first": name})

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Put the first command's name in front of what is no command."""
        if not args or args[0] not in self.commands:
            args = [self.first, *args]
        return super().parse_args(ctx, args)
