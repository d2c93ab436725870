"""What `trimtab run` and `trimtab demo` refuse of their options, before anything starts."""

import pytest

from trimtab.api.errors import InputRefused
from trimtab.cli.app import invoke
from trimtab.cli.run import _window


@pytest.mark.parametrize(
    ("text", "said"), [("0d", "holds no examples"), ("3 weeks", "3 weeks"), ("-1d", "-1d")]
)
def test_a_window_that_is_no_window_is_refused(text, said):
    with pytest.raises(InputRefused, match=said):
        _window(text)


@pytest.mark.parametrize("options", [["--window", "0d"], ["--until", "soon"]])
def test_a_wrong_option_is_the_users(options, capsys):
    assert invoke(["run", *options]) == 2
    assert "remedy:" in capsys.readouterr().err


def test_a_demo_where_no_folder_can_be_made_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for folder in ("/proc/x", str(tmp_path / "file" / "demo")):
        assert invoke(["demo", "--folder", folder]) == 2
        assert "cannot be made" in capsys.readouterr().err
