"""Finding plugin classes, and saying why others were skipped."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from webmacs_plugins_core import ENTRY_POINT_GROUP, DevicePlugin, PluginMeta, discover


@pytest.fixture
def entry(monkeypatch):
    """Makes an entry point whose target is the given object."""
    module = ModuleType("pretended_drivers")
    monkeypatch.setitem(sys.modules, "pretended_drivers", module)

    def make(name: str, target: object) -> EntryPoint:
        setattr(module, name, target)
        return EntryPoint(name, f"pretended_drivers:{name}", ENTRY_POINT_GROUP)

    return make


def test_the_bundled_drivers_are_found_with_their_distributions():
    found = discover()
    assert {"system", "simulated"} <= set(found.plugins)
    assert found.plugins["system"].distribution == "webmacs-plugin-system"
    assert found.plugins["simulated"].distribution_version == "0.2.0"
    assert found.problems == []


def test_a_good_class_is_found_among_bad_ones(entry, bench_class, caplog):
    caplog.set_level("WARNING")  # an application that ran before in this process may have set another one
    nameless = type("Nameless", (bench_class,), {"meta": PluginMeta(id="", name="?", version="1")})
    versionless = type("Versionless", (bench_class,), {"meta": PluginMeta(id="v", name="?", version="")})
    metaless = type("Metaless", (bench_class,), {"meta": {"id": "dict"}})
    unfinished = type("Unfinished", (DevicePlugin,), {"meta": PluginMeta(id="u", name="U", version="1")})
    found = discover(
        [
            entry("nameless", nameless),
            entry("versionless", versionless),
            entry("metaless", metaless),
            entry("unfinished", unfinished),
            entry("function", print),
            EntryPoint("missing", "no_such_module:Plugin", ENTRY_POINT_GROUP),
            entry("bench", bench_class),
        ]
    )
    assert found.classes == {"bench": bench_class}
    reasons = {problem.entry_point: problem.reason for problem in found.problems}
    assert set(reasons) == {"nameless", "versionless", "metaless", "unfinished", "function", "missing"}
    assert "_do_connect" in reasons["unfinished"]
    assert "ModuleNotFoundError" in reasons["missing"]
    assert caplog.text.count("skipped") == 6


def test_a_module_that_exits_when_imported_is_skipped(tmp_path, monkeypatch):
    (tmp_path / "leaving_driver.py").write_text("import sys\nsys.exit(1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = discover([EntryPoint("leaving", "leaving_driver:Plugin", ENTRY_POINT_GROUP)])
    assert found.classes == {}
    assert "SystemExit" in found.problems[0].reason


def test_the_later_of_two_classes_with_one_id_wins_and_it_is_told(entry, bench_class):
    other = type("Other", (bench_class,), {})
    found = discover([entry("first", bench_class), entry("second", other)])
    assert found.classes == {"bench": other}
    assert [problem.entry_point for problem in found.problems] == ["first"]
