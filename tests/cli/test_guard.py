"""Unit: how a command ends, whatever it raised."""

from __future__ import annotations

import pytest
import typer

from archsim.cli.guard import guarded


@pytest.mark.parametrize("code", [0, None, 1, "said"])
def test_code_of_the_user_does_not_end_a_command_as_if_it_were_done(
    code: object, capsys: pytest.CaptureFixture[str]
) -> None:
    @guarded
    def command(*, debug: bool) -> None:
        raise SystemExit(code)

    with pytest.raises(typer.Exit) as end:
        command(debug=False)
    assert end.value.exit_code == 2
    assert "SystemExit" in capsys.readouterr().err
