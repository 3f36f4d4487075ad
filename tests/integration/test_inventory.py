"""Cluster files and graphs on their way into the database."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from deployments import queries
from deployments.models import Cluster, Graph, Node, Release

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent.parent
SHOP = ROOT / "examples" / "shop"


def run(*arguments: Any) -> str:
    output = StringIO()
    call_command(*(str(argument) for argument in arguments), stdout=output, stderr=output)
    return output.getvalue()


def write(folder: Path, data: Any, name: str = "some.yaml") -> Path:
    file = folder / name
    file.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding="utf-8")
    return file


def small(**more: Any) -> dict[str, Any]:
    return {"name": "small", "nodes": [{"uid": 1, "roles": ["web"]}, {"uid": "b", "tags": ["db"]}], **more}


def everything() -> list[int]:
    return [model.objects.count() for model in (Release, Cluster, Node, Graph)]


# -- clusters -----------------------------------------------------------------------------------------------------------------
def test_the_example_is_loaded_with_its_release_and_facts() -> None:
    output = run("load_cluster", SHOP / "cluster.yaml")
    cluster = Cluster.objects.get(name="shop")
    assert output == f"Cluster shop (id {cluster.id}): 6 nodes, release Shop example (shop-1.0).\n"
    assert cluster.status == "new"
    assert len(cluster.common["shops"]) == 3
    node = cluster.nodes.get(uid="shop-2")
    assert (node.name, node.tags, node.status, node.data) == ("shop-2", ["shop"], "provisioned", {"name": "shop-2", "port": 18082})


def test_the_cluster_of_a_planning_case_is_loaded(shared: Path) -> None:
    run("load_cluster", shared / "cases" / "planning" / "c05-3ctl-10cmp.input.json")
    cluster = Cluster.objects.get(name="c05-3ctl-10cmp")
    assert cluster.nodes.count() == 13
    assert cluster.nodes.get(uid="1").roles == ["controller"]
    assert "primary-controller" in cluster.nodes.get(uid="1").tags
    assert cluster.common["cluster"]["mode"] == "ha_compact"
    assert str(cluster.release) == "default (default-1.0)"


def test_what_the_file_leaves_out_has_defaults(tmp_path: Path) -> None:
    run("load_cluster", write(tmp_path, {"nodes": [{"uid": 7}]}, "tiny.yaml"))
    cluster = Cluster.objects.get(name="tiny")
    assert cluster.task_based_deployment
    assert cluster.max_nodes_per_call == 50
    assert cluster.nodes.get().name == "node-7"


def test_settings_of_the_cluster_are_taken(tmp_path: Path) -> None:
    run("load_cluster", write(tmp_path, small(task_based_deployment=False, max_nodes_per_call=0, fleet="attic", settings={"a": {"b": 1}})))
    cluster = Cluster.objects.get(name="small")
    assert (cluster.task_based_deployment, cluster.max_nodes_per_call, cluster.fleet) == (False, 0, "attic")
    assert cluster.settings == {"a": {"b": 1}}


def test_roles_of_the_files_own_make_a_release(tmp_path: Path) -> None:
    run("load_cluster", write(tmp_path, small(roles_metadata={"web": {"tags": ["http"]}})))
    assert Release.objects.get(version="small-1.0").roles_metadata == {"web": {"tags": ["http"]}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("- a\n- b\n", "must be a mapping"),
        ("nodes: [", "no valid YAML at line"),
        ({"nodes": []}, "names no nodes"),
        ({"nodez": []}, "unknown key 'nodez'; did you mean 'nodes'?"),
        ({"nodes": [{"name": "x"}]}, "Node 1 of the cluster file has the uid"),
        ({"nodes": [{"uid": "1"}, {"uid": 1}]}, "Two nodes of the cluster file have the uid 1"),
        ({"nodes": [{"uid": "master"}]}, "the system itself uses it"),
        ({"nodes": [{"uid": "1", "status": "fine"}]}, "Node 1: there is no status 'fine'"),
        ({"nodes": [{"uid": "1", "hostname": "a"}, {"uid": "2", "hostname": "a"}]}, "have the hostname a"),
        (small(max_nodes_per_call=-1), "`max_nodes_per_call` must be 0"),
        (small(max_nodes_per_call="many"), "must be a whole number"),
        (small(mode="fast"), "`mode` must be one of"),
        (small(release={"name": "x"}), "needs a `name` and a `version`"),
        (small(release={"name": "x", "version": "1", "vresion": "2"}), "did you mean 'version'?"),
        (small(max_nodes_per_call=99999999999), "`max_nodes_per_call` must be 0 (no limit) or more, and at most"),
        (json.dumps(small(name="a\0b")), "The cluster has a character that can't be stored (NUL, or half a surrogate pair) in name"),
        (json.dumps(small(common={"a": ["x", "\ud800"]})), "half a surrogate pair) in common.a.2"),
        (json.dumps({"nodes": [{"uid": 1, "data": {"b\0": 1}}]}), "Node 1 has a character that can't be stored"),
        ({"nodes": [{"uid": 1, "mac": "a:b"}, {"uid": 2, "mac": "a:b"}]}, "have the mac a:b: every node needs its own"),
        (small(name="x" * 256), "The cluster: `name` is longer than 255 characters (256)."),
        ({"nodes": [{"uid": 1, "hostname": "h" * 256}]}, "Node 1: `hostname` is longer than 255"),
        ({"nodes": [{"uid": 1, "mac": "m" * 33}]}, "Node 1: `mac` is longer than 32"),
        (small(fleet="f" * 101), "The cluster: `fleet` is longer than 100"),
        (small(release={"name": "r" * 300, "version": "1"}), "The release: `name` is longer than"),
        ("name: small\nnodes: [{uid: 1}]\ncommon: {day: 2020-01-01}\n", "put dates and the like into quotes"),
    ],
)
def test_a_wrong_file_is_one_sentence_and_changes_nothing(tmp_path: Path, data: Any, said: str) -> None:
    file = write(tmp_path, data)
    with pytest.raises(CommandError) as error:
        run("load_cluster", file)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert everything() == [0, 0, 0, 0]


def test_a_taken_uid_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    run("load_cluster", write(tmp_path, small()))
    before = everything()
    with pytest.raises(CommandError, match=r"1 \(of small\).*--renumber"):
        run("load_cluster", write(tmp_path, {"name": "other", "release": {"name": "r", "version": "1"}, "nodes": [{"uid": 9}, {"uid": 1}]}))
    assert everything() == before


def test_a_taken_mac_is_refused(tmp_path: Path) -> None:
    run("load_cluster", write(tmp_path, {"name": "one", "nodes": [{"uid": 1, "mac": "a:b"}]}))
    Node.objects.create(uid="7", mac="c:d")
    before = everything()
    with pytest.raises(CommandError, match="The mac a:b of node 2 belongs to node 1 of one: a machine is one node"):
        run("load_cluster", write(tmp_path, {"name": "two", "nodes": [{"uid": 2, "mac": "a:b"}]}))
    with pytest.raises(CommandError, match="The mac c:d of node 2 belongs to node 7 of no cluster"):
        run("load_cluster", write(tmp_path, {"name": "two", "nodes": [{"uid": 2, "mac": "c:d"}]}))
    assert everything() == before
    run("load_cluster", write(tmp_path, {"name": "two", "nodes": [{"uid": 7, "mac": "c:d"}]}))


def test_a_name_of_bytes_that_are_no_text_is_refused(tmp_path: Path) -> None:
    for arguments in (["load_cluster", "--name", "\udcff", write(tmp_path, small())], ["deploy", "\udcff"]):
        with pytest.raises(CommandError, match="can't be stored|bytes that are no text"):
            run(*arguments)
    assert everything() == [0, 0, 0, 0]


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    run("load_cluster", write(tmp_path, small()))
    with pytest.raises(CommandError, match="There is a cluster small already"):
        run("load_cluster", write(tmp_path, {"name": "small", "nodes": [{"uid": 5}]}))


def test_a_copy_gets_free_uids_also_in_its_facts(tmp_path: Path) -> None:
    run("load_cluster", write(tmp_path, small()))
    facts = {"nodes": [{"uid": "1", "ip": "10.0.0.1"}, {"uid": 1}, {"uid": 3}], "uid": "b", "uids": "1"}
    copy = {"name": "small", "nodes": [{"uid": 1, "data": {"uid": "1"}}, {"uid": 3}, {"uid": "b"}], "common": facts}
    output = run("load_cluster", "--renumber", write(tmp_path, copy))
    cluster = Cluster.objects.get(name="small-2")
    assert output.endswith("Renumbered: 1 → 4, b → 5.\n")
    assert set(cluster.nodes.values_list("uid", flat=True)) == {"3", "4", "5"}
    assert cluster.nodes.get(uid="4").data["uid"] == "4"
    assert cluster.common == {"nodes": [{"uid": "4", "ip": "10.0.0.1"}, {"uid": 4}, {"uid": 3}], "uid": "5", "uids": "1"}


def test_a_node_of_no_cluster_is_taken_in(tmp_path: Path) -> None:
    Node.objects.create(uid="1", name="found", status="discover")
    run("load_cluster", write(tmp_path, small()))
    node = Node.objects.get(uid="1")
    assert (node.cluster and node.cluster.name, node.status, node.roles) == ("small", "provisioned", ["web"])


def test_a_release_that_is_there_is_used_unless_the_file_says_otherwise_of_it(tmp_path: Path) -> None:
    release = {"name": "r", "version": "r-1", "operating_system": "Debian"}
    run("load_cluster", write(tmp_path, small(release=release)))
    run("load_cluster", write(tmp_path, {"name": "b", "nodes": [{"uid": 5}], "release": release}))
    assert Release.objects.count() == 1
    with pytest.raises(CommandError, match="other operating_system than the file says"):
        run("load_cluster", write(tmp_path, {"name": "c", "nodes": [{"uid": 6}], "release": {**release, "operating_system": "BeOS"}}))
    assert Cluster.objects.count() == 2


# -- graphs -------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    run("load_cluster", write(tmp_path, small()))
    return Cluster.objects.get()


TASKS = [
    {"id": "a", "type": "shell", "version": "2.1.0", "roles": ["web"], "parameters": {"cmd": "true"}},
    {"id": "b", "type": "shell", "version": "2.1.0", "roles": ["web"], "requires": ["a"], "parameters": {"cmd": "true"}},
]


def test_a_graph_is_uploaded_replaced_listed_and_downloaded(cluster: Cluster, tmp_path: Path) -> None:
    file = write(tmp_path, TASKS)
    assert run("graph", "upload", "--cluster", "small", file) == "Graph default of cluster small stored: 2 tasks.\n"
    assert run("graph", "upload", "--cluster", str(cluster.id), file) == "Graph default of cluster small replaced: 2 tasks.\n"
    run("graph", "upload", "--cluster", "small", "--type", "provision", write(tmp_path, {"tasks": TASKS[:1], "node_filter": "$.x"}))
    assert [line.split("\t")[1:3] for line in run("graph", "list").splitlines()] == [["default", "2 tasks"], ["provision", "1 tasks"]]
    assert yaml.safe_load(run("graph", "download", "--cluster", "small")) == TASKS
    assert queries.graph_types(cluster) == ["default", "provision"]
    assert queries.merged_graph(cluster, "provision").node_filter == "$.x"


def test_a_clusters_tasks_replace_those_of_its_release(cluster: Cluster, tmp_path: Path) -> None:
    on_error = {"node_attributes": {"error_type": "deploy"}}
    release_graph = {"tasks": [*TASKS, {"id": "z", "type": "stage"}], "on_error": on_error, "node_filter": "$.all"}
    run("graph", "upload", "--release", "default", write(tmp_path, release_graph))
    own = {"id": "a", "type": "skipped"}
    run("graph", "upload", "--cluster", "small", write(tmp_path, {"tasks": [own, {"id": "c", "type": "stage"}], "node_filter": "$.own"}))
    merged = queries.merged_graph(cluster, "default")
    assert [task["id"] for task in merged.tasks] == ["a", "b", "z", "c"]
    assert merged.tasks[0] == own
    assert (merged.node_filter, merged.on_error, merged.on_success) == ("$.own", on_error, None)
    assert [task["id"] for task in yaml.safe_load(run("graph", "download", "--cluster", "small", "--own"))] == ["a", "c"]


def test_a_cluster_without_graph_has_no_tasks(cluster: Cluster) -> None:
    assert queries.merged_tasks(cluster, "default") == []
    with pytest.raises(CommandError, match="There is no graph of type 'default' there"):
        run("graph", "download", "--cluster", "small")


def test_a_real_graph_is_taken_and_its_slip_is_shown(cluster: Cluster, shared: Path) -> None:
    output = run("graph", "upload", "--release", "default-1.0", shared / "graphs" / "fuel-library-newton-tasks.yaml")
    assert "unknown key 'cross-depened-by'" in output
    assert len(queries.merged_tasks(cluster, "default")) > 190


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "x"}, "A graph is a list of tasks"),
        ([{"id": "a"}], "Task 'a' has the type"),
        ([*TASKS, TASKS[0]], "Tasks duplication found: a"),
        ({"tasks": TASKS, "on_eror": {}}, "unknown key 'on_eror'; did you mean 'on_error'?"),
        ({"tasks": TASKS, "on_error": {"status": "error"}}, "`on_error` must be a mapping with `node_attributes`"),
        ("- &a [*a]\n", "alias"),
        (json.dumps([{**TASKS[0], "parameters": {"cmd": "echo \0"}}]), "The graph has a character that can't be stored (NUL"),
        (json.dumps([{**TASKS[0], "id": "\udc00"}]), "half a surrogate pair) in 1.id"),
        ([{**TASKS[0], "id": "x" * 256}], "Task 1 of the graph has an id of 256 characters"),
        ({"name": "n" * 256, "tasks": TASKS}, "The graph's `name` is longer than 255 characters (256)."),
    ],
)
def test_a_wrong_graph_is_one_sentence_and_the_old_one_stays(cluster: Cluster, tmp_path: Path, data: Any, said: str) -> None:
    run("graph", "upload", "--cluster", "small", write(tmp_path, TASKS))
    with pytest.raises(CommandError) as error:
        run("graph", "upload", "--cluster", "small", write(tmp_path, data))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert queries.merged_tasks(cluster, "default") == TASKS


def test_a_type_that_no_address_could_name_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="can't be a graph's type"):
        run("graph", "upload", "--cluster", "small", "--type", "a/b", write(tmp_path, TASKS))


def test_fleets_serve_the_nodes_and_the_masters_of_their_clusters(cluster: Cluster, tmp_path: Path) -> None:
    run("load_cluster", write(tmp_path, {"name": "far", "fleet": "attic", "nodes": [{"uid": 5}]}))
    Node.objects.create(uid="alone")
    far = Cluster.objects.get(name="far")
    near = dict.fromkeys((f"master-{cluster.id}", "1", "b"), str(cluster.id))
    assert queries.fleets() == {"default": near, "attic": dict.fromkeys((f"master-{far.id}", "5"), str(far.id))}


def test_json_is_read_as_json(cluster: Cluster, tmp_path: Path) -> None:
    run("graph", "upload", "--cluster", "small", write(tmp_path, json.dumps(TASKS), "tasks.json"))
    assert queries.merged_tasks(cluster, "default") == TASKS
