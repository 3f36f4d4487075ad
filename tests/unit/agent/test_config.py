from __future__ import annotations

from pathlib import Path

import pytest

from deployments.agent.config import AgentConfig, BadEnvironment


class TestConfiguration:
    FULL = {"FUELWEB_REDIS_URL": "unix:///r", "FUELWEB_WIRE_SECRET": "s", "FUELWEB_AGENT_NODE": "7"}

    def test_an_agent_reads_its_environment(self) -> None:
        config = AgentConfig.from_environment({**self.FULL, "FUELWEB_HOME": "/h", "FUELWEB_AGENT_ROOT": "/r"})
        assert (config.redis_url, config.node, config.fleet) == ("unix:///r", "7", None)
        assert (config.state, config.root) == (Path("/h/agents"), Path("/r"))
        assert AgentConfig.from_environment({**self.FULL, "FUELWEB_AGENT_STATE": "/s"}).state == Path("/s")

    def test_one_key_opens_one_node(self) -> None:
        config = AgentConfig.from_environment({**self.FULL, "FUELWEB_NODE_KEY": "ab" * 32})
        assert config.keys.key("7") == bytes.fromhex("ab" * 32)
        with pytest.raises(Exception, match="no key for node 8"):
            config.keys.key("8")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"FUELWEB_REDIS_URL": ""}, "Set FUELWEB_REDIS_URL"),
            ({"FUELWEB_WIRE_SECRET": ""}, "Set FUELWEB_WIRE_SECRET"),
            ({"FUELWEB_NODE_KEY": "short"}, "64 hexadecimal digits"),
            ({"FUELWEB_AGENT_NODE": ""}, "either FUELWEB_AGENT_NODE or FUELWEB_FLEET"),
            ({"FUELWEB_FLEET": "f"}, "either FUELWEB_AGENT_NODE or FUELWEB_FLEET"),
            ({"FUELWEB_GONE_AFTER": "soon"}, "FUELWEB_GONE_AFTER must be a number of seconds greater than 0, not 'soon'"),
            ({"FUELWEB_GONE_AFTER": "-1"}, "FUELWEB_GONE_AFTER must be a number"),
        ],
    )
    def test_what_is_missing_is_said(self, change: dict[str, str], says: str) -> None:
        with pytest.raises(BadEnvironment, match=says):
            AgentConfig.from_environment({**self.FULL, **change})
