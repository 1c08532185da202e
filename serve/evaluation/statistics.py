"""Paired comparison of two models on the same conversations. Pure numpy.

The tokens of a conversation are not independent, conversations are; so resampling draws whole
conversations (or whole clusters of them, such as all of one participant).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000
_Z95 = 1.959963984540054
# resampled counts held at once
_CELLS = 4_000_000


class Interval(NamedTuple):
    """A number with its 95 % interval.

    Attributes:
        mean: the estimate.
        low: lower end; None where fewer than two clusters allow none.
        high: upper end, likewise.
        n: conversations behind it.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


class Paired(NamedTuple):
    """Base against tuned.

    Attributes:
        base: nats per token of the base, tokens weighted equally.
        tuned: the same of the tuned model.
        delta: tuned minus base, nats per token; below 0 = the tuned model predicts better.
        perplexity_ratio: exp(delta): tuned perplexity over base perplexity.
        share_improved: share of conversations whose own delta is below 0.
    """

    base: Interval
    tuned: Interval
    delta: Interval
    perplexity_ratio: Interval
    share_improved: Interval


def paired(
    base: Sequence[float],
    tuned: Sequence[float],
    tokens: Sequence[int],
    *,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Paired:
    """Compare two models scored on the same tokens.

    Percentile intervals from a cluster bootstrap of the ratio (sum of nats / sum of tokens);
    the three differences use the same resamples, so they are paired. ``share_improved`` has a
    Wilson interval instead, which does not collapse when all conversations improve.

    Args:
        base: summed negative log likelihood of each conversation in nats, shape (n,).
        tuned: the same for the tuned model.
        tokens: scored tokens of each, > 0, shape (n,).
        clusters: label of each conversation's cluster; None = each is its own.
        seed: of the resampling.
        resamples: bootstrap draws.

    Raises:
        ValueError: nothing to compare, or lengths differ.
    """
    sums = np.column_stack([base, tuned, tokens]).astype(np.float64)
    n = len(sums)
    if n == 0:
        raise ValueError("no conversations to compare")
    drawn = _resampled(_by_cluster(sums, clusters), seed, resamples)

    def interval(numerator: Floats) -> Interval:
        mean = float(sums.sum(axis=0) @ numerator / sums[:, 2].sum())
        if drawn is None:
            return Interval(mean, None, None, n)
        low, high = np.percentile(drawn @ numerator / drawn[:, 2], [2.5, 97.5])
        return Interval(mean, float(low), float(high), n)

    delta = interval(np.array([-1.0, 1.0, 0.0]))
    improved = int(np.count_nonzero(sums[:, 1] < sums[:, 0]))
    return Paired(
        base=interval(np.array([1.0, 0.0, 0.0])),
        tuned=interval(np.array([0.0, 1.0, 0.0])),
        delta=delta,
        # the exponential is monotone, so the percentiles carry over
        perplexity_ratio=Interval(
            float(np.exp(delta.mean)),
            None if delta.low is None else float(np.exp(delta.low)),
            None if delta.high is None else float(np.exp(delta.high)),
            n,
        ),
        share_improved=wilson(improved, n),
    )


def _by_cluster(sums: Floats, clusters: Sequence[str] | None) -> Floats:
    """Sums of each cluster, shape (clusters, 3)."""
    if clusters is None:
        return sums
    names, member = np.unique(np.asarray(clusters), return_inverse=True)
    grouped = np.zeros((len(names), sums.shape[1]))
    np.add.at(grouped, member, sums)
    return grouped


def _resampled(sums: Floats, seed: int, resamples: int) -> Floats | None:
    """Sums of bootstrap samples, shape (resamples, 3); None for a single cluster."""
    count = len(sums)
    if count < 2:
        return None
    generator = np.random.default_rng(seed)
    equal = np.full(count, 1 / count)
    chunk = max(1, _CELLS // count)
    parts = []
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        # how often each cluster is drawn is multinomial: cheaper than drawing indices
        parts.append(generator.multinomial(count, equal, size=size) @ sums)
    return np.concatenate(parts)


def wilson(successes: int, n: int) -> Interval:
    """A share with its 95 % Wilson score interval (Wilson 1927)."""
    share = successes / n
    spread = _Z95**2 / n
    center = (share + spread / 2) / (1 + spread)
    half = _Z95 / (1 + spread) * float(np.sqrt(share * (1 - share) / n + spread / (4 * n)))
    return Interval(share, max(0.0, center - half), min(1.0, center + half), n)
