"""The sections of recipes (what to run) and sites (where to run it), with every default in one place.

The types name the units, the text below a key says what it means: `spotcat.reference` makes of them docs/settings.md
and the commented files of ``spotcat recipe --full`` and ``spotcat site --full``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

Days = Annotated[float, "d"]
Degrees = Annotated[float, "deg"]
Rotations = Annotated[float, "rotations"]
Seconds = Annotated[int, "s"]
Sigma = Annotated[float, "sigma"]
"""Standard deviations of what the key's text names."""


@dataclass(frozen=True)
class SurveyConfig:
    """Name, run folder and random seed of a survey, and what its catalog says of itself."""

    name: str
    """What the catalog and its pages call the survey."""
    output: str
    """The run folder; it is made, and belongs to this recipe from then on."""
    seed: int
    """Whole number, not negative, from which every random number follows."""
    authors: tuple[str, ...] = ()
    """Who made the catalog."""
    licence: str = ""
    """What others may do with it, such as CC-BY-4.0."""
    date: str = ""
    """Day of its release, such as 2026-11-28; a clock would make equal catalogs differ."""


@dataclass(frozen=True)
class InputConfig:
    """Where the light curves are and which of them to take."""

    files: tuple[str, ...] = ()
    """Globs or folders of FITS files and plain tables."""
    manifest: str = ""
    """CSV with the columns star_id, name, file (file relative to the manifest)."""
    author: str = ""
    """Take only files of this author; needed where a star comes from several."""
    reader: str = "fast"
    """fast, or lightkurve for the reference reader; both give the same numbers."""


@dataclass(frozen=True)
class CleanConfig:
    """Which measurements enter the store."""

    quality: str = "default"
    """lightkurve's quality bit mask: none, default, hard or hardest."""
    gap: Days = 30.0
    """A gap in time longer than this starts a new segment; so does every file."""
    orbits: bool = True
    """Whether the two orbits of a TESS sector are segments of their own, and stretches of a table that last as long."""
    ephemerides: str = ""
    """CSV with the columns star, period [d], epoch [d], duration [h]; measurements in transit are left out."""
    excess_sigma: Sigma = 8.0
    """Measurements so far above the median of a stretch without pauses are left out; 0 keeps all."""
    scatter_ratio: float = 2.5
    """Half days whose neighbouring measurements differ so many times more than is usual are left out; 0 keeps all."""
    dip_sigma: Sigma = 5.0
    """Dips so deep, and no longer than `clip_window`, are left out whole; 0 keeps all."""
    flare_sigma: Sigma = 5.0
    """Flares, points so far above a local parabola and their tails, are left out; 0 keeps all."""
    outlier_sigma: Sigma = 5.0
    """One or two points so far off are left out, longer dips never; 0 keeps all."""
    clip_window: Days = 0.5
    """Width of the local parabola."""
    ramp_ratio: float = 1.5
    """Beginnings and ends of stretches so many times steeper than the steepest between them are left out; 0 keeps
    all."""
    slopes: bool = False
    """Whether each segment has, beside its offset, a slope of its own; both are marginalised, not subtracted."""
    cotrending: tuple[str, ...] = ()
    """Globs or folders of the missions' cotrending basis vectors, which the store keeps beside the light curves."""
    cotrending_vectors: int = 4
    """How many of each detector, those that explain most first."""


@dataclass(frozen=True)
class FitConfig:
    """The search, refine and confirm steps; every value enters the catalog's fingerprint."""

    min_points: int = 50
    """Fewer valid measurements than this are not searched."""
    max_points: int = 2048
    """Most points of a grid; a longer light curve is binned coarser, and its short periods are searched in pieces."""
    cadence_min: Days = 0.0
    """Bin width below which no star is binned; 0 is the native cadence."""
    p_min: Days = 0.2
    """Shortest period searched; never below four bins."""
    p_max: Days = 100.0
    """Longest period searched; never above half the baseline."""
    n_period: int = 256
    """Log-spaced periods of the search."""
    shears: tuple[float, ...] = (0.0, 0.2)
    """Shear kappa of the search templates."""
    lifetimes: tuple[Rotations, ...] = (1.5, 4.0, 12.0, 30.0)
    """Spot lifetimes of the search templates."""
    n_harm: int = 4
    """Rotation harmonics in the covariance."""
    envelope: str = "trapezoid"
    """How spots grow and decay: trapezoid, exponential-plateau, logistic-plateau, exponential, exponential-decay or
    skewed-gaussian."""
    envelope_numbers: tuple[float, ...] = ()
    """The skewness of skewed-gaussian; else none."""
    visibility: str = "small"
    """What is seen of them: small (spots), limb-darkened or facular."""
    visibility_numbers: tuple[float, ...] = ()
    """The coefficients u1, u2 of limb-darkened; these and the ratio of faculae to spots of facular; else none."""
    latitude: str = "uniform"
    """Where they emerge: uniform (in latitude), area (uniform on the sphere), bands or belts."""
    latitude_numbers: tuple[Degrees, ...] = ()
    """The edges of bands, centre and width of belts, of either hemisphere; else none."""
    n_modes: int = 5
    """Period modes refined for each star, half and double the best among them."""
    refine_steps: int = 60
    """Most damped Newton steps of each mode; most arrive after a dozen."""
    confirm_modes: int = 3
    """Refined modes compared under the exact likelihood."""
    confirm_steps: int = 30
    """Most damped Newton steps of each of them; the odds of two that have not arrived say nothing."""
    polish_steps: int = 30
    """Most further steps of the best one."""
    outlier_sigma: Sigma = 5.0
    """Bins so far from what all others say of them are left out, and the star is fitted again; 0 keeps all."""
    prior_shear: float = 0.3
    """Scale of the half-normal prior on the shear kappa."""
    prior_min_rotations: Rotations = 1.35
    """Lifetime below which spots are softly discouraged: they carry no period."""
    prior_min_rotations_width: float = 0.2
    """Softness of that bound, a standard deviation in ln."""
    prior_decay_ratio: tuple[float, ...] = (-0.9, 1.0)
    """Mean and standard deviation of ``ln(tau_spot / lspot)``."""
    prior_harmonic: float = 0.4
    """Scatter in ln of the harmonics n >= 1 about the ratios of inclination and latitudes: spots are few and finite."""
    prior_constant: float = 1.0
    """The same of harmonic 0: spots that come and go without rotating into view."""
    prior_red: tuple[float, ...] = (-4.0, 6.7)
    """Mean and standard deviation of the ln of red-noise variances relative to the light curve's."""
    stars: tuple[str, ...] = ()
    """Names of the stars to fit; all if empty."""
    sampler: str = "laplace"
    """Posterior: laplace for a survey; importance or nuts (the mcmc extra) for chosen stars, far dearer."""
    detection: float = 3.0
    """Least log-likelihood gain over no rotation of a detection."""
    false_alarm: float = 0.006
    """Largest probability that a star without rotation has as much evidence of one. It is below the one in a hundred
    that is promised, because it is itself estimated from a finite number of stars."""
    reliability: float = 0.85
    """Least probability that the period is right for the rotation to count as detected."""
    calibration: str = ""
    """Table of ``spotcat check calibrate``, learnt with these settings; the one that comes with spotcat if empty."""


@dataclass(frozen=True)
class SimulateConfig:
    """The population that ``spotcat simulate`` draws; ranges are (low, high)."""

    folder: str = ""
    """Where the light curves and the table of true values go."""
    n_stars: int = 0
    """How many stars."""
    source: str = "spots"
    """spots (this package's model), butterpy (another package's) or quiet (anything but rotation)."""
    observatory: str = "plain"
    """plain, kepler (quarters with offsets) or tess (a gap in the middle of the sector)."""
    baseline: Days = 150.0
    """Time from the first measurement to the last."""
    cadence: Days = 0.5
    """Time between two measurements."""
    period: tuple[Days, Days] = (2.0, 30.0)
    """Rotation period of the equator, uniform in ln."""
    kappa: tuple[float, float] = (0.0, 0.3)
    """Shear: the relative difference in rotation rate between equator and pole."""
    lspot: tuple[Days, Days] = (5.0, 40.0)
    """Time that a spot spends at its full size."""
    tau_spot: tuple[Days, Days] = (2.0, 20.0)
    """Time in which a spot grows, and in which it decays."""
    n_spots: tuple[int, int] = (10, 40)
    """Spots of a star over its light curve."""
    noise: tuple[float, float] = (0.3, 0.3)
    """White noise as a fraction of the signal's standard deviation."""
    gaps: float = 0.05
    """Fraction of the measurements lost."""


@dataclass(frozen=True)
class CheckConfig:
    """The simulated surveys of ``spotcat check``."""

    sets: tuple[str, ...] = ()
    """Names of sets, such as half-year, or half-year-quiet without rotation; `half-year:300` has 300 stars."""
    n_stars: int = 200
    """Stars in each set that does not say."""
    backgrounds: tuple[str, ...] = ()
    """Globs or folders of real light curves, which sets such as sector-real and sector-real-quiet are made of."""
    background_kinds: str = ""
    """CSV with the columns name and kind: only stars of the kind negative, on which nothing rotates visibly, are
    backgrounds. Without it every star of the files is, so none of them may rotate, pulsate or eclipse."""


@dataclass(frozen=True)
class Recipe:
    """A whole survey: what to read, how to fit it and where to put the catalog."""

    survey: SurveyConfig
    input: InputConfig = field(default_factory=InputConfig)
    clean: CleanConfig = field(default_factory=CleanConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    simulate: SimulateConfig = field(default_factory=SimulateConfig)
    check: CheckConfig = field(default_factory=CheckConfig)


@dataclass(frozen=True)
class SlurmConfig:
    """What a Slurm job asks for; ``spotcat submit`` writes it into the job's script."""

    shape: str = ""
    """allocation (one job, its workers under one scheduler) or array (one job per node, nothing between them)."""
    partition: str = ""
    """Slurm's partition; empty is the cluster's default."""
    account: str = ""
    """The account that the node-hours are taken from; empty is the user's default."""
    options: tuple[str, ...] = ()
    """Further options of sbatch, such as "--qos=regular"."""
    nodes: int = 1
    """Nodes of the allocation, or tasks of the array, which have a node each."""
    workers_per_node: int = 1
    """Worker processes on a node that is used without its GPUs."""
    gpus_per_node: int = 0
    """GPUs used on a node, with a worker process each."""
    cpus_per_worker: int = 1
    """Cores that Slurm gives to a worker process; a fit keeps about one busy."""
    memory_per_node: str = ""
    """Such as "64G"; empty is the partition's default."""
    walltime: str = "01:00:00"
    """As Slurm writes it: [days-]hours:minutes:seconds."""
    drain: Seconds = 300
    """Seconds before the walltime at which no further chunk is begun; more than the longest chunk needs."""
    max_requeues: int = 10
    """How often a job that ran out of time goes back to the queue."""
    setup: tuple[str, ...] = ()
    """Lines of shell that load modules or activate an environment."""


@dataclass(frozen=True)
class Site:
    """Where a run happens."""

    executor: str = "local"
    """serial (this process), local (worker processes on this machine) or scheduler (workers that are there)."""
    workers: int = 0
    """Worker processes; 0 is one per two gigabytes of memory, at most one per core."""
    platform: str = "cpu"
    """cpu or cuda: what JAX computes on; with cuda there is a worker process per visible GPU."""
    batch: int = 0
    """Stars fitted together; 0 is 16 on a CPU, and what the memory of a GPU allows."""
    chunk: int = 0
    """Stars that a worker process is handed at a time, which is what is lost where it dies; 0 goes by the survey, from
    16 to 1,024. A run keeps what it began with."""
    cache: str = ""
    """Folder of compiled programs, for all runs; empty is the user's, "run" the run's own. The variable SPOTCAT_CACHE
    goes before it."""
    scheduler_file: str = ""
    """What a running Dask scheduler wrote, for the executor scheduler."""
    chunk_seconds: Seconds = 3600
    """A worker process that works on one batch of a chunk for longer is ended; 0 is never."""
    patience: Seconds = 120
    """A run that has no worker process for this long ends."""
    scratch: str = ""
    """Fast folder of each node for temporary files; empty is the system's."""
    interface: str = ""
    """Network interface between nodes, such as ib0 or hsn0; empty is the default route's."""
    slurm: SlurmConfig = field(default_factory=SlurmConfig)
