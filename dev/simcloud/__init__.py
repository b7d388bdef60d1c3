"""A small simulated OpenStack over real HTTP: Keystone v3, Nova, Aodh, Heat, Octavia and an image of Glance.

For newcomers without a cloud, ``python -m dev.simcloud --port 15100``; for tests::

    with SimCloud() as cloud:
        cloud.faults.add(Fault(what=Effect.ANSWER, service="nova", method="POST", status=503))
        ...  # a client of cloud.auth_url
        assert [entry.status for entry in cloud.requests if entry.service == "nova"] == [503]

It answers as Keystone 30, Nova 34, Aodh 23 and Heat 27 were seen to answer, in status, headers and bodies,
and as Octavia's published reference and source say. Each user's password is ``simulated``; ``world.py``
lists who is there. Faults and fate are scripted in Python, or over HTTP (``control.py``).
"""

from dev.simcloud.clock import ManualClock
from dev.simcloud.cloud import SimCloud
from dev.simcloud.faults import Effect, Fault
from dev.simcloud.records import Status
from dev.simcloud.world import IMAGE_ID, PASSWORD, stable_id

__all__ = ["IMAGE_ID", "PASSWORD", "Effect", "Fault", "ManualClock", "SimCloud", "Status", "stable_id"]
