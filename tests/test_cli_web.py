"""The `seed` command on crawls: adding, Common Crawl, training, the funnel, why, export, removing."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from calls import Seed, is_one_line
from crawl_world import FIRST, POLICY, REFUSED, SECOND, SITE, TRAINING, crawl_of, page, prose, training_pages, world
from support import lake_of, run_crawl, settings_of, views

from seed_platform.batches import CRAWL, list_batches
from seed_platform.crawl import locations
from seed_platform.documents import DOC_ID_LENGTH
from seed_platform.lake.schemas import PAGES
from seed_platform.policy import Policy

_CRAWL = "CC-MAIN-2025-05"


@pytest.fixture(autouse=True)
def _asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is busy is asked again without a pause."""
    monkeypatch.setattr(locations, "_PAUSES", (0.0, 0.0))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return world(tmp_path_factory.mktemp("crawl"))


def _policy_file(folder: Path, policy: Policy) -> Path:
    """A policy as a file: JSON is YAML."""
    path = folder / "policy.yaml"
    path.write_text(policy.model_dump_json())
    return path


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, files: list[Path]) -> str:
    """A lake of two crawl batches, computed, with a page of every fate."""
    root = str(tmp_path_factory.mktemp("web") / "lake")
    for name, file in zip(("first", "second"), files, strict=True):
        run_crawl(root, [file], policy=POLICY, name=name)
    return root


@pytest.fixture
def asked(seed: Seed, root: str, tmp_path: Path) -> Seed:
    """The command on that lake, under its policy."""
    policy = _policy_file(tmp_path, POLICY)
    return lambda *arguments: seed(*arguments, "--lake", root, "--policy", policy)


def test_the_funnel_says_what_became_of_every_page(asked: Seed):
    told = asked("funnel", "web", "--json").json
    documents = told["documents"]
    dropped = sum(number for reasons in documents["dropped"].values() for number in reasons.values())
    assert documents["seen"] == len(FIRST) + len(SECOND)
    assert documents["seen"] == documents["kept"] + dropped + documents["outstanding"]
    assert documents["kept"] == sum(fate == "kept" for _, fate in (FIRST | SECOND).values())
    assert told["rejected"] == {reason: 1 for _, reason in REFUSED.values()}
    assert asked("funnel", "web", "--json", "--batch", "second").json["documents"]["seen"] == len(SECOND)
    assert is_one_line(asked("funnel", "web", "--batch", "third"), 2, "third", "first, second")
    assert "pages kept" in asked("funnel", "web").out
    assert Path("f.png").exists() is False
    assert asked("funnel", "web", "--plot", "f.png").code == 0
    assert Path("f.png").read_bytes().startswith(b"\x89PNG")


def test_pages_of_a_batch_that_was_not_computed_are_outstanding(seed: Seed, files: list[Path]):
    assert seed("batch", "add", "crawl", files[0]).code == 0
    told = seed("funnel", "web")
    assert "outstanding" in told.err
    batches = seed("batch", "list", "--json").json
    assert [(each["kind"], each["outstanding"]) for each in batches] == [("crawl", 8)]
    assert is_one_line(seed("export", "web", "out"), 1, "outstanding", "seed run")


def test_why_tells_the_story_of_a_page_that_is_kept(asked: Seed):
    told = asked("why", f"{SITE}guide", "--json").json
    assert told["kept"] is True
    assert told["document"]["url"] == f"{SITE}guide"
    assert (told["document"]["crawl_file"], told["document"]["batch"]) == ("one.warc.gz", "first")
    assert [each["filter"] for each in told["verdicts"]] == list(POLICY.web.filters)
    assert told["verdicts"][4]["reason"] == "explicit"
    by_id = asked("why", told["doc_id"], "--json").json
    assert (told["matches"], by_id) == (3, told | {"matches": 1})
    shown = asked("why", f"{SITE}guide").out
    for word in ("one.warc.gz", "code_relevance", "explicit"):
        assert word in shown


def test_why_finds_a_page_by_any_spelling_of_its_url_and_tells_the_capture_in_the_corpus(asked: Seed):
    told = asked("why", "HTTP://docs.example:80/guide/", "--json").json
    assert told["document"]["batch"] == "first"
    assert told["kept"] is True
    assert told["matches"] == 3


@pytest.mark.parametrize(
    ("url", "name", "reason", "related"),
    [
        (f"{SITE}copy", "exact_duplicates", "exact_duplicate", f"{SITE}guide"),
        ("https://mirror.example/near", "near_duplicates", "near_duplicate", f"{SITE}plain"),
        (f"{SITE}short", "rules", "too_few_words", None),
    ],
)
def test_why_tells_which_filter_dropped_a_page_and_for_which_other(
    asked: Seed, url: str, name: str, reason: str, related: str | None
):
    told = asked("why", url, "--json").json
    assert told["kept"] is False
    last = told["verdicts"][-1]
    assert (last["filter"], last["reason"], last["related"]) == (name, reason, related)
    assert asked("why", url).code == 0


def test_why_tells_why_a_record_is_no_page(asked: Seed):
    for url, (_, reason) in REFUSED.items():
        told = asked("why", url, "--json").json
        assert (told["kept"], told["document"]["kind"], told["document"]["reason"]) == (False, "rejection", reason)
        assert reason in asked("why", url).out


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (f"{SITE}guides", ["no page has the URL", f"{SITE}guide"]),
        ("https://nowhere.example/", ["no page has the URL", "nothing of nowhere.example"]),
        ("https://", ["no page has the URL"]),
        ("http://[::1", ["no page has the URL"]),
        ("f" * DOC_ID_LENGTH, ["no document has the id"]),
    ],
)
def test_what_is_not_there_is_one_line_with_what_is(asked: Seed, target: str, words: list[str]):
    assert is_one_line(asked("why", target), 2, *words)


_LOAD = """
import datasets, sys
print(sorted(datasets.load_dataset(sys.argv[1], cache_dir=sys.argv[2], split="train").column_names))
"""


def test_an_export_loads_elsewhere_and_leads_back_to_the_records(asked: Seed, root: str, tmp_path: Path):
    told = asked("export", "web", "out", "--json").json
    found = pl.read_parquet("out/data/*.parquet")
    kept = [url for url, (_, fate) in (FIRST | SECOND).items() if fate == "kept"]
    assert found["url"].to_list() == kept
    assert (told["documents"], told["text_bytes"]) == (len(kept), sum(len(text.encode()) for text in found["text"]))
    provenance = {"doc_id", "batch", "url", "host", "captured_at", "crawl_file", "record_id", "offset"}
    assert provenance | {"text", "category", "quality", "language", "explicit"} <= set(found.columns)
    with views(root) as connection:
        pages = connection.execute('SELECT url, crawl_file, record_id, "offset", content FROM pages').fetchall()
    stored = {row[0]: row[1:] for row in pages}
    for row in found.iter_rows(named=True):
        assert (row["crawl_file"], row["record_id"], row["offset"], row["text"]) == stored[row["url"]]
    assert asked("export", "web", "lines", "--format", "jsonl").code == 0
    lines = [json.loads(line) for file in sorted(Path("lines/data").iterdir()) for line in file.open()]
    assert [line["url"] for line in lines] == kept
    command = [sys.executable, "-c", _LOAD, "out", str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(sorted(found.columns))
    card = Path("out/README.md").read_text()
    assert "seed why URL" in card


def test_removing_a_crawl_batch_judges_again_what_was_compared_with_it(seed: Seed, files: list[Path]):
    for name, file in zip(("first", "second"), files, strict=True):
        run_crawl("lake", [file], policy=POLICY, name=name, workers=1)
    Path("seed.toml").write_text(f'policy = "{_policy_file(Path(), POLICY)}"\n')
    assert seed("batch", "remove", "first", "--yes").code == 0
    assert [each["batch"] for each in seed("batch", "list", "--json").json] == ["second"]
    with views("lake") as connection:
        tables = ("pages", "crawl_files", "rejections", "verdicts", "web", "materializations")
        for table in tables:
            left = connection.execute(f"SELECT DISTINCT batch FROM {table}").fetchall()
            assert left in ([("second",)], []), table
    run_crawl("lake", [], policy=POLICY, workers=1)
    assert seed("why", "https://mirror.example/guide", "--json").json["kept"] is True
    told = seed("batch", "add", "crawl", files[0], "--name", "again")
    assert "again" in told.out


def test_a_model_is_trained_from_the_command_line(seed: Seed, tmp_path: Path):
    policy = _policy_file(tmp_path, TRAINING)
    lake = ("--lake", "lake", "--policy", policy)
    run_crawl("lake", [crawl_of(tmp_path / "gold.warc.gz", training_pages(16))], policy=TRAINING, workers=1)
    labels = (json.dumps({"url": url, "code_related": "story" not in url}) for url in training_pages(16))
    Path("labels.jsonl").write_text("\n".join(labels))
    told = seed("train", "code-relevance", "--labels", "labels.jsonl", "--plot", "curve.png", *lake)
    assert told.code == 0, told.err
    assert "3 results are outstanding; next: seed run" in told.out
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")
    again = seed("train", "code-relevance", "--labels", "labels.jsonl", "--json", *lake).json
    assert {"id", "threshold", "precision", "recall", "curve", "held_out"} <= set(again)
    assert is_one_line(seed("train", "code-relevance", "--labels", "none.jsonl", *lake), 2, "none.jsonl")
    Path("labels.jsonl").write_text('{"url": "x"}\n')
    assert is_one_line(seed("train", "code-relevance", "--labels", "labels.jsonl", *lake), 2, "line 1")


def test_training_with_nothing_to_train_on_says_so(seed: Seed, files: list[Path]):
    assert is_one_line(seed("train", "code-relevance"), 2, "no crawl batch")
    assert seed("batch", "add", "crawl", files[0]).code == 0
    assert is_one_line(seed("train", "code-relevance"), 2, "no crawl batch")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["crawl"], ["SOURCE"]),
        (["crawl", "none.warc.gz"], ["none.warc.gz", "does not exist"]),
        (["crawl", "x" * 256], ["too long"]),
        (["crawl", "notes.txt"], ["notes.txt", ".warc.gz"]),
        (["crawl", "pipe.warc"], ["pipe.warc"]),
        (["crawl", "mirror"], ["no WARC file", "--base-url"]),
        (["crawl", "mirror", "--base-url", "docs.example"], ["--base-url", "docs.example"]),
        (["crawl", "mirror", "--base-url", "ftp://docs.example/"], ["--base-url"]),
        (["crawl", "mirror", "--base-url", "https://"], ["--base-url"]),
        (["crawl", "mirror", "--base-url", "https://docs.example/?a=b"], ["--base-url"]),
        (["crawl", "mirror", "--base-url", "https://docs.example/#a"], ["--base-url"]),
        (["crawl", "mirror", "--base-url", "https://[::1/"], ["URL"]),
        (["crawl", "mirror", "--base-url", "https://me:secret@docs.example/"], ["docs.example"]),
        (["crawl", "https://[::1/x.warc.gz"], ["URL"]),
        (["crawl", "https://host:port/x.warc.gz"], ["URL"]),
        (["crawl", "https:///x.warc.gz"], ["host"]),
        (["crawl", "https://me:secret@docs.example/x.warc.gz"], ["docs.example"]),
        (["crawl", "https://docs.example/page.html"], [".warc.gz"]),
        (["common-crawl", "CC-MAIN-25"], ["CC-MAIN-2025-05", "CC-MAIN-25"]),
        (["common-crawl", "../../etc"], ["CC-MAIN-2025-05"]),
        *(
            (["common-crawl", _CRAWL, "--segments", text], ["range"])
            for text in ("a", "1:1", "3:2", "-1", ":", "9" * 20)
        ),
        (["common-crawl", _CRAWL, "--files", "x"], ["range"]),
    ],
)
def test_sources_that_name_nothing_usable_are_one_line(
    seed: Seed, tmp_path: Path, arguments: list[str], words: list[str]
):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a.html").write_text("<p>a")
    (tmp_path / "notes.txt").write_text("a")
    subprocess.run(["mkfifo", "pipe.warc"], check=True)
    told = seed("batch", "add", *arguments)
    assert is_one_line(told, 2, *words)
    assert "secret" not in told.err
    assert not (tmp_path / "lake").exists()


class _Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and some paths badly."""

    def do_GET(self) -> None:
        if "broken" in self.path:
            self.send_error(503)
        elif "slammed" in self.path:
            self.close_connection = True
        elif "cut" in self.path and "Range" not in self.headers:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            data = (Path(self.directory) / self.path.lstrip("/")).read_bytes()
            self.wfile.write(data[: len(data) // 2])
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the class that it overrides has it
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder and its URL: a mirror of Common Crawl with two segments of two files."""
    folder = tmp_path / "mirror"
    paths = []
    for segment in ("1737042337.42", "1736703361941.29"):
        for number in range(2):
            name = f"crawl-data/{_CRAWL}/segments/{segment}/warc/CC-MAIN-20250101-{segment}-{number:05d}.warc.gz"
            url = f"https://{segment}.example/{number}"
            crawl_of(folder / name, {url: page(prose(len(paths) + 1))})
            paths.append(name)
    listed = "".join(f"{path}\n" for path in paths).encode()
    # In two members, as tools that append write it.
    packed = gzip.compress(listed[:100]) + gzip.compress(listed[100:])
    (folder / "crawl-data" / _CRAWL / "warc.paths.gz").write_bytes(packed)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("SEED_COMMON_CRAWL", url + "/")
        monkeypatch.setenv("SEED_CONNECT_TIMEOUT", "5")
        yield folder, url
        server.shutdown()


Mirror = tuple[Path, str]


def _names(batch: int = -1) -> list[str]:
    return [
        source.pinned.repository for source in list_batches(lake_of(settings_of("lake")), kind=CRAWL)[batch].sources
    ]


def test_segments_of_common_crawl_are_chosen_by_range(seed: Seed, mirror: Mirror):
    _, url = mirror
    first, second = "CC-MAIN-20250101-1736703361941.29-0000{}.warc.gz", "CC-MAIN-20250101-1737042337.42-0000{}.warc.gz"
    told = seed("batch", "add", "common-crawl", _CRAWL, "--segments", "0:1", "--files", "0:1", "--json").json
    assert told["sources"] == 1
    assert _names() == [first.format(0)]
    [batch] = seed("batch", "list", "--json").json
    assert batch["sources"][0]["spec"].startswith(f"{url}/crawl-data/{_CRAWL}/segments/1736703361941.29/warc/")
    assert seed("batch", "add", "common-crawl", _CRAWL, "--segments", "1", "--files", "1:").code == 0
    assert _names() == [second.format(1)]
    assert seed("batch", "add", "common-crawl", _CRAWL, "--segments", "0:", "--name", "all").code == 0
    assert _names() == [first.format(0), first.format(1), second.format(0), second.format(1)]
    rejected = [source.rejected for source in list_batches(lake_of(settings_of("lake")), kind=CRAWL)[-1].sources]
    assert [each is not None and each[0] == "already_arrived" for each in rejected] == [True, False, False, True]


def test_a_file_behind_http_is_read_in_a_run_and_its_download_deleted(seed: Seed, mirror: Mirror):
    assert seed("batch", "add", "common-crawl", _CRAWL, "--files", "0:1", "--name", "one").code == 0
    done = seed("run")
    assert done.code == 0, done.err
    with views("lake") as connection:
        assert connection.execute("SELECT url FROM pages").fetchall() == [("https://1736703361941.29.example/0",)]
    assert not list(Path("lake/_scratch/downloads").iterdir())
    assert "everything is up to date" in seed("run").out
    assert seed("funnel", "web", "--json").json["documents"]["outstanding"] == 0


def test_what_cannot_be_had_of_common_crawl_is_one_line(seed: Seed, mirror: Mirror, monkeypatch: pytest.MonkeyPatch):
    folder, url = mirror
    add = ("batch", "add", "common-crawl")
    assert is_one_line(seed(*add, "CC-MAIN-2024-99"), 2, "CC-MAIN-2024-99", "HTTP 404")
    assert is_one_line(seed(*add, _CRAWL, "--segments", "5:9"), 2, "2 segments", "nothing is in the range")
    listed = folder / "crawl-data" / _CRAWL / "warc.paths.gz"
    whole = listed.read_bytes()
    for content, words in ((b"not gzip", "is not gzip"), (whole[:-12], "in the middle of its gzip stream")):
        listed.write_bytes(content)
        assert is_one_line(seed(*add, _CRAWL), 2, words)
    for wrong, words in (
        (f"{url}/broken", "HTTP 503"),
        (f"{url}/slammed", "slammed"),
        ("http://127.0.0.1:9", "refused"),
    ):
        monkeypatch.setenv("SEED_COMMON_CRAWL", wrong)
        assert is_one_line(seed(*add, _CRAWL), 2, words)
    assert not Path("lake").exists()


def test_a_download_that_ends_early_is_taken_up_where_it_ended(seed: Seed, mirror: Mirror):
    folder, url = mirror
    pages = {f"{SITE}{number}": page(prose(number)) for number in range(20)}
    crawl_of(folder / "cut.warc.gz", pages)
    crawl_of(folder / "whole.warc.gz", {f"{SITE}whole": page(prose(30))})
    assert seed("batch", "add", "crawl", f"{url}/cut.warc.gz", f"{url}/whole.warc.gz", f"{url}/none.warc.gz").code == 0
    run_crawl("lake", [], workers=1)
    lake = lake_of(settings_of("lake"))
    assert lake.column(PAGES, ["url"], batch="00001-cut.warc.gz")["url"].to_list() == [*pages, f"{SITE}whole"]
    with views("lake") as connection:
        rejected = connection.execute("SELECT reason FROM rejections ORDER BY ordinal").fetchall()
    assert rejected == [("missing_path",)]


def test_the_same_file_by_another_road_is_the_same_source(seed: Seed, mirror: Mirror):
    folder, url = mirror
    file = crawl_of(folder / "same.warc.gz", {f"{SITE}a": page(prose(1))})
    assert seed("batch", "add", "crawl", file).code == 0
    assert "nothing new" in seed("batch", "add", "crawl", f"{url}/same.warc.gz").out
