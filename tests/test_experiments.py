import pytest
from conftest import Write

from fastscan import experiments
from fastscan.errors import FastscanError

TEXT = (experiments.BUILT_IN / "coherent-csi.toml").read_text()


def test_every_experiment_of_the_package_loads() -> None:
    for name in experiments.names():
        assert experiments.load(name).name == name


def test_a_user_file_is_named_after_itself(write: Write) -> None:
    mine = experiments.load(str(write("my-csi.toml", TEXT)))
    assert mine.name == "my-csi"
    assert mine.targets == experiments.load("coherent-csi").targets


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('compound = "CsI"', 'compound = "XxI"', "compound: unknown element 'Xx'"),
        (
            'compound = "CsI"',
            'compound = "cesium iodide"',
            "compound: 'cesium iodide' is no chemical formula",
        ),
        ('mass = "14.57 kg"', 'mass = "14.57 lb"', "mass: '14.57 lb' has no unit of mass"),
        ('mass = "14.57 kg"', 'mass = "-14.57 kg"', "mass: must be positive"),
        ('mass = "14.57 kg"', "mass = 14.57", "mass: must be a text"),
        ('mass = "14.57 kg"', "", "mass: missing"),
        ("[[target]]", "[target]", "target: must be one or more tables"),
        ('channel = "cevns"', 'channel = "cevn"', "channel: unknown channel 'cevn'; did you mean 'cevns'"),
        (
            'kind = "pion-decay-at-rest"',
            'kind = "reakton"',
            "kind: unknown kind 'reakton'; did you mean 'reactor'",
        ),
        ("protons = 1.76e23", "protons = 0", "protons: must be positive, not 0"),
        ("plateau = 0.6655", "plateau = 1.6655", "plateau: must be between 0 and 1"),
        ("edges = [5, 6, 30]", "edges = [5, 30]", "edges: must be one more than the 2 values"),
        ("edges = [5, 6, 30]", "edges = [5, 30, 6]", "edges: must increase"),
        ("values = [0.5, 1.0]", "values = [0.5, 1.1]", "values: must be between 0 and 1, not 1.1"),
        ("observed = 142", "observed = -142", "observed: must be"),
        ("observed = 142", "obsrved = 142", "observed: missing"),
        ("sigma_sys = 0.28", "sigma_sys = 0.28\nsigma = 1", "unknown key 'sigma'; did you mean 'sigma_sys'"),
        ("title", "titel", "title: missing"),
    ],
)
def test_what_is_wrong_names_the_file_and_the_key(old: str, new: str, problem: str, write: Write) -> None:
    assert old in TEXT
    path = write("mine.toml", TEXT.replace(old, new, 1))
    with pytest.raises(FastscanError, match=problem) as caught:
        experiments.load(str(path))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
