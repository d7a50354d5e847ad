"""Untrusted bytes, looked at by a process that has nothing to lose.

`workers.pool.WorkerPool` is the way in. It hands one file to one confined process, which runs
`inspect` and answers with a report, the clean file and a picture; then it dies. `scans` and
`photos` read, measure and draw; `errors` names every refusal, `findings` every piece of advice,
`report` every answer. Nothing is imported here: a worker would pay for it at each start.
"""
