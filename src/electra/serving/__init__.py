"""Models behind HTTP: JSON in, JSON out, every resource bounded, the page at /.

    connection (guard) -> request (front, app, reading) -> queue (batching) -> model -> answer

Unusual here: requests are put together by what is waiting while the model is busy, so nothing ever sleeps to fill a batch.
"""
