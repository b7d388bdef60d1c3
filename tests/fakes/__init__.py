"""The ports in memory, under the same contract as the real adapters (tests/tables holds both to it).

Usage and uses are counted from what is stored, so they cannot drift. One lock makes every call atomic.
"""

from tests.fakes.groups import FakeGroups, FakeMembers
from tests.fakes.history import FakeActivities, FakeExecutions, FakeUsage
from tests.fakes.memory import Memory
from tests.fakes.owned import FakeCredentials, FakeLaunchConfigurations, FakePolicies, FakeWebhooks
from tests.fakes.services import FakeQueue, FakeVault
from tests.fakes.web import FakeSns, FakeWeb

__all__ = [
    "FakeActivities",
    "FakeCredentials",
    "FakeExecutions",
    "FakeGroups",
    "FakeLaunchConfigurations",
    "FakeMembers",
    "FakePolicies",
    "FakeQueue",
    "FakeSns",
    "FakeUsage",
    "FakeVault",
    "FakeWeb",
    "FakeWebhooks",
    "Memory",
]
