"""Cotrending basis vectors in the store: by campaign and detector, looked up by cadence number."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

CADENCE, COTRENDING = "cadence_number", "cotrending"
"""Names of a campaign's array of cadence numbers, and of its group of vectors."""


class Vectors(NamedTuple):
    """Vectors of a detector: ``cadence`` i4, rising, shape (n,), and ``values`` f4, shape (n, k)."""

    cadence: np.ndarray
    values: np.ndarray

    def at(self, cadence: np.ndarray, n_vectors: int) -> np.ndarray:
        """The vectors at some cadences, f8, shape (len(cadence), n_vectors); 0 where the mission gives none."""
        place = np.minimum(np.searchsorted(self.cadence, cadence), self.cadence.size - 1)
        found = np.zeros((cadence.size, n_vectors))
        known = self.cadence[place] == cadence
        found[known, : self.values.shape[1]] = self.values[place[known], :n_vectors]
        return found


def detector_of(observed: str) -> str:
    """A name for a detector, ``channel-3`` or ``camera-1-ccd-2``, from the column ``observed`` of a row."""
    parts = [part for part in observed.split() if part.split("=")[0] in ("channel", "camera", "ccd")]
    return "-".join(parts).replace("=", "-")


class StoredVectors:
    """The vectors of an open store; those of each detector are read once.

    Args:
        n_vectors: how many each light curve has; 0 where the store keeps none.
    """

    def __init__(self, n_vectors: int) -> None:
        self.n_vectors = n_vectors
        self._known: dict[tuple[str, str], Vectors] = {}

    def at(self, name: str, campaign: Any, rows: np.ndarray) -> list[np.ndarray]:
        """The vectors at each point of some rows, f8, shapes (points of the longest row, n_vectors).

        Args:
            name: of the campaign.
            campaign: its group.
            rows: entries of its row table.

        Raises:
            OSError, ValueError, RuntimeError, KeyError: the store is damaged.
        """
        if CADENCE not in campaign:
            return [np.zeros((campaign["time"].shape[1], self.n_vectors))] * rows.size
        cadences = campaign[CADENCE].oindex[campaign["row"][:][rows]]
        found = []
        for observed, cadence in zip(campaign["observed"][:][rows].tolist(), cadences, strict=True):
            key = name, detector_of(observed)
            if key not in self._known:
                group = campaign[COTRENDING][key[1]]
                self._known[key] = Vectors(*(group[field][:] for field in Vectors._fields))
            found.append(self._known[key].at(cadence, self.n_vectors))
        return found
