"""Untrusted bytes, looked at by a process that has nothing to lose.

`pool.WorkerPool` is the way in. It hands one file to one confined worker (`worker`), which runs
`inspect` and answers with a report and the clean file; the worker then dies. `errors` names every
refusal, `report` every answer. Nothing is imported here: a worker would pay for it at each start.
"""
