"""The runbook as typed data and pure functions.

Nothing here does I/O, and nothing here imports pulumi, boto3 or kubernetes. A number of the runbook stands in this
package and nowhere else: components, policies, jobs, alerts and the printed runbook all read it from here.
"""
