"""A codec from the settings in a card."""

import pytest

from paddlepose import codecs

SETTINGS = {"name": "heatmap", "input_size": [192, 256], "heatmap_size": [48, 64]}
EVERYBODY = {"name": "regression", "input_size": [64, 64], "heatmap_size": [16, 16]}


def test_lists_are_taken_for_tuples():
    assert codecs.build(SETTINGS).heatmap_size == (48, 64)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({**SETTINGS, "name": 3}, "codec: expected the name of one as 'name', got 3"),
        ({**SETTINGS, "name": "heatmop"}, "heatmap"),
        ({**SETTINGS, "sigma": "2"}, "codec 'heatmap': sigma: expected a finite number, got '2'"),
        ({**SETTINGS, "colour": 1}, "codec 'heatmap': no field 'colour'"),
        ({"name": "heatmap"}, "codec 'heatmap': 'input_size' is missing"),
        ({**EVERYBODY, "max_num_people": 10**9}, "max_num_people 1000000000: expected 1 to 10000"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        codecs.build(settings)
