"""Programs that make traffic and tell, as ground truth, which events a recorder must have seen.

By hand, from tests/sensor: `python -m traffic tcp.both_ends v4` prints a JSON object for each event that is due.
"""
