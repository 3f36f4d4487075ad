"""Clusters of any size on which the graph of the Fuel library (newton) can be planned. All data is invented."""

from __future__ import annotations

from typing import Any

from deployments.core.cases import cluster_file
from deployments.core.facts import ClusterFacts

ROLES: dict[str, Any] = {
    "controller": {"tags": ["controller", "rabbitmq", "database", "keystone", "neutron"]},
    "compute": {"tags": ["compute"]},
    "cinder": {"tags": ["cinder"]},
}
TAGS: dict[str, Any] = {tag: {"has_primary": True} for tag in ROLES["controller"]["tags"]}

_SERVICES = ("aodh", "cinder", "glance", "heat", "horizon", "keystone", "mysql", "nova", "rabbit", "swift", "quantum_settings")
_SWITCHED = ("ceilometer", "ironic", "mongo", "murano", "murano-cfapi", "sahara")
_SETTINGS: dict[str, Any] = {
    "access": {"user": "operator", "password": "example", "tenant": "operator", "email": "operator@example.test"},
    "base_syslog": {"syslog_server": "10.30.0.1", "syslog_port": "514"},
    "cgroups": {},
    "debug": False,
    "deployed_before": {"value": False},
    "deployment_mode": "ha_compact",
    "external_dns": {"dns_list": "198.51.100.53"},
    "external_mongo": {"hosts_ip": "", "mongo_user": "meter"},
    "external_ntp": {"ntp_list": "198.51.100.123"},
    "libvirt_type": "kvm",
    "master_ip": "10.30.0.1",
    "mp": [{"point": "1", "weight": "1"}],
    "mu_upgrade": {},
    "murano_settings": {"murano_glance_artifacts_plugin": True},
    "neutron_advanced_configuration": {name: False for name in ("neutron_dvr", "neutron_l2_pop", "neutron_l3_ha", "neutron_qos")},
    "nova_quota": False,
    "novanetwork_parameters": {},
    "openstack_version": "newton-10.0",
    "operator_user": {"name": "operator", "homedir": "/home/operator"},
    "plugins": [],
    "public_ssl": {"horizon": False, "services": False, "hostname": "cloud.example.test", "cert_source": "self_signed"},
    "puppet": {"manifests": "rsync://10.30.0.1/manifests", "modules": "rsync://10.30.0.1/modules"},
    "quantum": True,
    "repo_setup": {"repos": [{"name": "base", "uri": "http://mirror.example.test/base", "suite": "xenial", "type": "deb"}]},
    "resume_guests_state_on_host_boot": True,
    "run_ping_checker": True,
    "security_groups": "iptables_hybrid",
    "service_user": {"name": "service", "homedir": "/var/lib/service"},
    "storage": {
        "auth_s3_keystone_ceph": False,
        "ephemeral_ceph": False,
        "images_ceph": False,
        "objects_ceph": False,
        "volumes_block_device": False,
        "volumes_ceph": False,
        "volumes_lvm": True,
        "osd_pool_size": "3",
    },
    "syslog": {"syslog_server": "", "syslog_port": "514", "syslog_transport": "tcp"},
    "use_cow_images": True,
    "workloads_collector": {"enabled": False, "user": "collector", "tenant": "services"},
}
_NETWORK_ROLES = ("admin/pxe", "mgmt/corosync", "mgmt/database", "mgmt/memcache", "mgmt/messaging", "mgmt/vip", "neutron/mesh", "storage")


def newton_cluster(computes: int, controllers: int = 3, *, deployed: bool = False) -> dict[str, Any]:
    """A cluster as a cluster file describes it: controllers first, then computes; uids count from 1.

    Args:
        deployed: everything has run successfully before with the same data.
    """
    roles = {str(uid): ["controller" if uid <= controllers else "compute"] for uid in range(1, controllers + computes + 1)}
    parsed = cluster_file.parse({"nodes": [{"uid": uid, "roles": of} for uid, of in roles.items()], **_metadata()})
    tags = {node.uid: list(node.tags) for node in parsed.facts().nodes}
    nodes = [{"uid": uid, "roles": roles[uid], "tags": tags[uid], "data": _node_data(uid)} for uid in roles]
    common = _common(tags)
    old = {"old": {"all_tasks": {"common": common, "nodes": nodes}}} if deployed else {}
    return {"name": f"newton-{controllers}-{computes}", "nodes": nodes, "common": common, **_metadata(), **old}


def newton_facts(computes: int, controllers: int = 3, *, deployed: bool = False) -> ClusterFacts:
    """The same cluster as the planner sees it."""
    return cluster_file.parse(newton_cluster(computes, controllers, deployed=deployed)).facts()


def _metadata() -> dict[str, Any]:
    return {"roles_metadata": ROLES, "tags_metadata": TAGS}


def _common(tags: dict[str, list[str]]) -> dict[str, Any]:
    services: dict[str, Any] = {name: {"db_password": f"{name}-db", "user_password": f"{name}-user"} for name in _SERVICES}
    services["quantum_settings"] = {"database": {"passwd": "quantum-db"}, "keystone": {"admin_password": "quantum-user"}}
    services["heat"]["enabled"] = True
    services |= {name: {"enabled": False, "db_password": f"{name}-db"} for name in _SWITCHED}
    return {
        **_SETTINGS,
        **services,
        "cluster": {"id": 1, "name": "benchmark", "mode": "ha_compact", "status": "new", "fuel_version": "10.0"},
        "network_metadata": {"nodes": {f"node-{uid}": _network_node(uid, own) for uid, own in tags.items()}, "vips": _vips()},
        "nodes": [{"uid": uid, "name": f"node-{uid}", "fqdn": _fqdn(uid), "role": tag} for uid, own in tags.items() for tag in own],
    }


def _network_node(uid: str, tags: list[str]) -> dict[str, Any]:
    return {
        "uid": uid,
        "name": f"node-{uid}",
        "fqdn": _fqdn(uid),
        "node_roles": tags,
        "network_roles": {role: _address(place, uid) for place, role in enumerate(_NETWORK_ROLES)},
        "swift_zone": uid,
        "user_node_name": f"machine {uid}",
    }


def _vips() -> dict[str, Any]:
    names = ("management", "public", "vrouter", "vrouter_pub")
    holders = ["controller", "primary-controller"]
    return {name: {"ipaddr": f"10.31.0.{place}", "namespace": name, "node_roles": holders} for place, name in enumerate(names, start=2)}


def _node_data(uid: str) -> dict[str, Any]:
    return {
        "name": f"node-{uid}",
        "fqdn": _fqdn(uid),
        "status": "provisioned",
        "online": True,
        "configuration": {},
        "configuration_options": {},
        "network_scheme": {
            "version": "1.1",
            "provider": "lnx",
            "endpoints": {"br-mgmt": {"IP": [_address(1, uid)], "gateway": "10.31.0.1"}, "br-prv": {"IP": "none"}},
            "interfaces": {"eth0": {}, "eth1": {}},
            "roles": {role: "br-mgmt" for role in _NETWORK_ROLES},
            "transformations": [{"action": "add-br", "name": name} for name in ("br-mgmt", "br-prv", "br-storage")],
        },
        "node_volumes": [],
        "test_vm_image": {"img_name": "TestVM", "os_name": "cirros", "disk_format": "qcow2"},
        "vms_conf": [],
    }


def _fqdn(uid: str) -> str:
    return f"node-{uid}.example.test"


def _address(network: int, uid: str) -> str:
    return f"10.{40 + network}.{int(uid) // 250}.{int(uid) % 250 + 1}"
