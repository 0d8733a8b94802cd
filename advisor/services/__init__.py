"""The use cases: read the input, call the pure functions, shape the answer, keep what is to be kept.

calculations   assess, price and advise: nothing is stored
keys           who may ask for what: workspaces and their API keys
sellers        accounts with their snapshots, assessments and trends
portfolio      what the pages of a portfolio show beyond the API
batches        files of accounts: taken in, scored by workers, handed out
webhooks       where events are sent, and the outbox
idempotency    the same request again is the same answer

Web, worker and command line only call these. What is stored is read and written on a connection that the caller opens,
so that one request is one transaction.
"""
