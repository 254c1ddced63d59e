import pytest


@pytest.fixture(autouse=True)
def alone(one_thread):
    """Small networks are slower on several threads, and much so beside other processes."""
