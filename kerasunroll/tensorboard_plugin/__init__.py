"""The Unrolling tab of TensorBoard: a thin reader over event files, records and `report/`.

TensorBoard finds `loader.py` by the entry point `tensorboard_plugins`. `plugin.py` has the routes; what a route answers
is made in `views/`, one module per view; `static/` is what runs in the browser, one module per view as well.
`events.py` reads event files through TensorBoard's data provider, `comparisons.py` reads records, and `contents.py`
says what there is of both. No TensorFlow.
"""
