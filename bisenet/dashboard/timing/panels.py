"""The Timing page's panels: history with filters, the benchmark, the network's inside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pandas as pd
import streamlit as st

from bisenet.bench import backends, latency, profile
from bisenet.dashboard.session import resources, shell
from bisenet.dashboard.session.jobs import Job, Progress, Stop, Work
from bisenet.dashboard.timing import charts as timing_charts
from bisenet.dashboard.widgets import downloads
from bisenet.dashboard.widgets.charts import CONFIG
from bisenet.engines.choice import candidates
from bisenet.network.weights import resolve
from bisenet.runlog import as_frame, process_log
from bisenet.runtime.admission import process_queue
from bisenet.runtime.settings import Settings
from bisenet.runtime.threads import usable_cpus
from bisenet.runtime.timing import Summary, summarise

T = TypeVar("T")

_BENCHMARK = "timing_benchmark"
_PROFILE = "timing_profile"
# The page looks at its measurement every second: nobody looking means they have left.
_ABANDONED_SECONDS = 30.0
# Two measurements would disturb each other.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class BenchmarkResult:
    """What a benchmark from the page brought: the table, and who could not take part."""

    table: latency.Table
    refused: tuple[backends.Refused, ...]


def history() -> None:
    """Past parses of this session or of the server, filtered, with percentiles and stages."""
    log = process_log()
    everything = as_frame(log.runs())
    if log.problem:
        st.warning(log.problem, icon=":material/warning:")
    if everything.empty:
        st.info("No parse has been timed yet.", icon=":material/info:")
        return
    runs = _filtered(everything)
    warm = runs.loc[~runs["warm_up"], "total_ms"]
    if runs.empty:
        st.info("No parse fits these filters.", icon=":material/filter_alt_off:")
        return
    if len(warm):
        _percentiles(summarise(warm.tolist()), int(runs["warm_up"].sum()))
    st.plotly_chart(timing_charts.history(runs), config=CONFIG, key="history")
    if len(warm):
        st.plotly_chart(timing_charts.stage_distribution(runs), config=CONFIG, key="scatter")
    downloads.csv("History, CSV", runs.drop(columns="session"), "timings.csv")
    kept = "across restarts" if log.path else "until the server restarts"
    st.caption(f"Timings are kept {kept}. Never photos, names or addresses.")


def benchmark(weights: str) -> None:
    """Choose, start, watch and stop a benchmark; then its charts."""
    _measurement(_BENCHMARK, partial(_choose_benchmark, weights), _results)


def inside(weights: str) -> None:
    """Where the network's own time goes, from a run with a clock at every node."""
    _measurement(_PROFILE, partial(_choose_profile, weights), _profile)


def _measurement(key: str, choose: Callable[[], Job[T] | None], show: Callable[[T], None]) -> None:
    """The measurement that runs, or the choice of the next one above what the last one brought."""
    if not _allowed():
        return
    job: Job[T] | None = st.session_state.get(key)
    if job is not None and job.running:
        _watch(job)
        return
    chosen = choose()
    if chosen is not None:
        _begin(key, chosen)
    if job is not None and job.problem:
        st.info(job.problem, icon=":material/info:")
    if job is not None and job.result is not None:
        show(job.result)


def _choose_benchmark(weights: str) -> Job[BenchmarkResult] | None:
    obstacles = {name: obstacle for name, _, obstacle in candidates(resolve(weights))}
    names = backends.default_names()
    able = [name for name in names if not obstacles.get(name)]
    with st.form("benchmark", border=True):
        left, right = st.columns(2, gap="large")
        chosen = left.multiselect(
            "Engines",
            names,
            default=[n for n in able if n.startswith("openvino")],
            help="published: our network run as the published scripts do, in eager torch f32.",
        )
        most = usable_cpus()
        threads = right.multiselect("Threads", sorted({1, most}), default=[most])
        sizes = left.pills(
            "Input size, pixels", latency.SIZES, selection_mode="multi", default=[256, 512]
        )
        batches = right.pills(
            "Images at once", latency.BATCHES, selection_mode="multi", default=[1]
        )
        effort = left.select_slider(
            "Time for each engine, size and batch, seconds", [1, 2, 4, 8], value=1
        )
        ready = st.form_submit_button("Start", type="primary", icon=":material/play_arrow:")
    if ready and not (chosen and threads and sizes and batches):
        st.warning("Choose at least one of each.", icon=":material/warning:")
        return None
    if not ready:
        return None
    return _job(
        lambda progress, stop: _measure(
            chosen, threads, sizes, batches, float(effort), weights, progress, stop
        )
    )


def _choose_profile(weights: str) -> Job[profile.Profile] | None:
    obstacles = {name: obstacle for name, _, obstacle in candidates(resolve(weights))}
    precisions = {"openvino-int8": "int8", "openvino-bf16": "bf16", "openvino": "f32"}
    able = [p for engine, p in precisions.items() if not obstacles.get(engine)]
    for engine, precision in precisions.items():
        if obstacles.get(engine):
            st.caption(f"{precision} cannot be profiled: {obstacles[engine]}.")
    if not able:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        precision = st.segmented_control("Precision", able, default=able[0], required=True)
        size = st.selectbox("Input size, pixels", latency.SIZES, index=2, width=180)
        ready = st.button("Profile", type="primary", icon=":material/play_arrow:")
    if not ready:
        return None
    return _job(
        lambda progress, stop: profile.profile(str(precision), weights, int(size), stop=stop)
    )


def clear() -> None:
    """Stop this session's measurements and let go of what they brought."""
    for key in (_BENCHMARK, _PROFILE):
        job = st.session_state.pop(key, None)
        if job is not None:
            job.cancel()


def _allowed() -> bool:
    """Whether this server measures; where it does not, who can and how."""
    if Settings().other_engines:
        return True
    st.info(
        "Measuring takes the whole machine, so this server leaves it out. On a machine of your "
        "own: `python -m bisenet benchmark`, or run this page there. Whoever runs this server can "
        f"allow it with `{Settings.other_engines.name}=true`.",
        icon=":material/timer_off:",
    )
    return False


def _filtered(runs: pd.DataFrame) -> pd.DataFrame:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        whose = st.segmented_control(
            "Whose", ["This session", "The server"], default="This session", required=True
        )
        for column, label in (
            ("engine", "Engine"),
            ("precision", "Precision"),
            ("input_size", "Input size, px"),
        ):
            values = sorted(runs[column].unique())
            picked = st.selectbox(
                label, [None, *values], format_func=lambda v: "all" if v is None else str(v)
            )
            if picked is not None:
                runs = runs[runs[column] == picked]
    if whose == "This session":
        runs = runs[runs["session"].isin([shell.session_mark(), resources.SAMPLE])]
    low, high = runs["megapixels"].min(), runs["megapixels"].max()
    if len(runs) and low < high:
        span = st.slider(
            "Photo, megapixels", float(low), float(high), (float(low), float(high)), 0.01
        )
        runs = runs[runs["megapixels"].between(*span)]
    return runs


def _percentiles(times: Summary, warm_ups: int) -> None:
    with st.container(horizontal=True):
        for label, value, hint in timing_charts.percentiles(times):
            st.metric(label, f"{value:.0f} ms", border=True, help=hint)
        st.metric(
            "Parses",
            f"{times.count}",
            border=True,
            help=f"And {warm_ups} warm-up{'s' if warm_ups != 1 else ''}: the first on an engine, "
            "which pays for memory and kernels and is in no percentile.",
        )


def _job(work: Work[T]) -> Job[T]:
    return Job(
        work,
        name="measurement",
        exclusive=_one_at_a_time,
        abandoned_seconds=_ABANDONED_SECONDS,
    )


def _begin(key: str, job: Job[T]) -> None:
    if not job.start():
        st.warning(
            "Another measurement runs on this server; two would disturb each other. "
            "Try again when it is done.",
            icon=":material/hourglass:",
        )
        return
    st.session_state[key] = job
    st.rerun()


@st.fragment(run_every=1.0)
def _watch(job: Job[Any]) -> None:
    if not job.running:
        st.rerun()
    job.look()
    st.progress(job.share, f"Measuring: {job.what}")
    if st.button("Stop", icon=":material/stop:", key=f"stop-{id(job)}"):
        job.cancel()


def _measure(
    names: Sequence[str],
    threads: Sequence[int],
    sizes: Sequence[int],
    batches: Sequence[int],
    seconds: float,
    weights: str,
    progress: Progress,
    stop: Stop,
) -> BenchmarkResult:
    cells: list[latency.Cell] = []
    ratios: list[latency.Ratio] = []
    refused: dict[str, backends.Refused] = {}
    queue = process_queue()
    for number, count in enumerate(threads):
        progress(number / len(threads), f"opening {len(names)} engines")
        entered, out = backends.open_backends(names, weights, count)
        refused |= {one.name: one for one in out}

        def step(share: float, what: str, number: int = number, count: int = count) -> None:
            unit = "thread" if count == 1 else "threads"
            progress((number + share) / len(threads), f"{what}, {count} {unit}")

        table = latency.compare(
            entered,
            sorted(sizes),
            sorted(batches),
            latency.Effort(30, seconds),
            step,
            stop,
            # Alone: a parse beside it would slow one backend and not the next.
            hold=partial(queue.admit, places=queue.max_running),
        )
        cells += table.cells
        ratios += table.ratios
    return BenchmarkResult(latency.Table(tuple(cells), tuple(ratios)), tuple(refused.values()))


def _results(result: BenchmarkResult) -> None:
    for one in result.refused:
        st.caption(f"{one.name} did not take part. {one.reason}")
    cells = result.table.cells
    if not cells:
        return
    for threads in sorted({cell.threads for cell in cells}):
        own = [cell for cell in cells if cell.threads == threads]
        st.markdown(f"**{threads} thread{'s' if threads != 1 else ''}**")
        st.plotly_chart(timing_charts.side_by_side(own), config=CONFIG, key=f"sides-{threads}")
        charts = []
        if len({cell.size for cell in own}) > 1:
            least = min(cell.batch for cell in own)
            charts.append(("size", [c for c in own if c.batch == least]))
        if len({cell.batch for cell in own}) > 1:
            middle = min((c.size for c in own), key=lambda size: abs(size - 512))
            charts.append(("batch", [c for c in own if c.size == middle]))
        for column, (over, some) in zip(st.columns(max(len(charts), 1)), charts, strict=False):
            column.plotly_chart(
                timing_charts.growth(some, over), config=CONFIG, key=f"growth-{over}-{threads}"
            )
    table = pd.DataFrame([cell.as_row() for cell in cells])
    with st.expander("The numbers"):
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                "contestant": None,
                "size": st.column_config.NumberColumn("size, px"),
                **{
                    name: st.column_config.NumberColumn(
                        name.removesuffix("_ms") + ", ms a batch", format="%.1f"
                    )
                    for name in table.columns
                    if name.endswith("_ms")
                },
                "images_per_s": st.column_config.NumberColumn("images/s", format="%.1f"),
            },
        )
    downloads.csv("Benchmark, CSV", table, "benchmark.csv")


def _profile(result: profile.Profile) -> None:
    st.plotly_chart(timing_charts.network_parts(result), config=CONFIG, key="parts")
    st.caption(
        f"{result.gflop:.1f} GFLOP at {result.size} x {result.size} px on {result.threads} "
        f"thread{'s' if result.threads != 1 else ''}: {result.peak_share:.0%} of the "
        f"{result.peak / 1000:.2f} TFLOP/s that a large {result.precision} matrix product reaches "
        "on this machine. A multiplication and its addition count as two operations."
    )
    downloads.csv("Parts, CSV", pd.DataFrame(result.rows()), "network-parts.csv")
