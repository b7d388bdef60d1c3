"""The ports in memory, under the same contract as the real adapters (tests/tables holds both to it).

Usage and uses are counted from what is stored, so they cannot drift. One lock makes every call atomic.
"""

from tests.fakes.alarms import FakeAlarmHistory, FakeAlarms
from tests.fakes.groups import FakeGroups, FakeMembers
from tests.fakes.history import FakeActivities, FakeExecutions, FakeUsage
from tests.fakes.memory import Memory
from tests.fakes.owned import FakeCredentials, FakeLaunchConfigurations, FakePolicies, FakeWebhooks
from tests.fakes.policy_states import FakePolicyStates
from tests.fakes.rates import FakeTallies
from tests.fakes.refreshes import FakeRefreshes
from tests.fakes.samples import FakeFolds, FakeIntakes, FakeMeters
from tests.fakes.schedules import FakeSchedules
from tests.fakes.services import FakeQueue, FakeVault
from tests.fakes.web import FakeSns, FakeWeb

__all__ = [
    "FakeActivities",
    "FakeAlarmHistory",
    "FakeAlarms",
    "FakeCredentials",
    "FakeExecutions",
    "FakeFolds",
    "FakeGroups",
    "FakeIntakes",
    "FakeLaunchConfigurations",
    "FakeMembers",
    "FakeMeters",
    "FakePolicies",
    "FakePolicyStates",
    "FakeQueue",
    "FakeRefreshes",
    "FakeSchedules",
    "FakeSns",
    "FakeTallies",
    "FakeUsage",
    "FakeVault",
    "FakeWeb",
    "FakeWebhooks",
    "Memory",
]
