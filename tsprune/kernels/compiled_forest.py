"""Isolation forests on many rows: all nodes of all trees for 256 rows at a time (see `forest_program`).

Loaded only where there are many rows, since it loads numba.  Two steps are portable LLVM vectors, which the code generator
splits to fit the processor; numba does not find them in loops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numba.extending import intrinsic

from tsprune.kernels.forest_program import CELLS, Program

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tsprune.types import Ints, Matrix

#: Rows that go through the trees together, and of them those that are counted together.
BLOCK, CHUNK = 256, 32
_INDEX = ir.IntType(64)


def path_sums(rows: Matrix, program: Program) -> Ints:
    """Sum of what each row's leaves are worth, shape (n_samples,); rows are float64 and contiguous."""
    sums = np.zeros(len(rows), dtype=np.int64)
    _run(rows, *program, *_memory(program), sums, np.empty((0, 0), np.uint16))
    return sums


def leaf_numbers(rows: Matrix, program: Program) -> NDArray[np.uint16]:
    """Number of the leaf, among the leaves of its tree, in which each row ends: shape (n_trees, n_samples)."""
    numbers = np.empty((len(program.results), len(rows)), dtype=np.uint16)
    _run(rows, *program, *_memory(program), np.zeros(len(rows), np.int64), numbers)
    return numbers


def _memory(program: Program) -> tuple[NDArray[Any], ...]:
    """Values, codes and results of one block of rows, each on a border of the cache."""
    lane = np.dtype(f"i{program.bits // 8}")
    shapes = ((len(program.features), np.dtype(np.float32)), (program.n_columns, lane), (program.n_rows, lane))
    return tuple(_aligned(max(n, 1), dtype) for n, dtype in shapes)


def _aligned(n_rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    size = n_rows * BLOCK * dtype.itemsize
    memory = np.zeros(size + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(n_rows, BLOCK)


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    """A vector of one value."""
    vector = ir.VectorType(value.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes))


def _data(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value=value).data


@intrinsic
def _pick(_typing: Any, codes: Any, work: Any, node: Any) -> Any:
    """One node: work[own] = work[right] + added where codes[column] > rank, else work[left]."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        codes_at, work_at = _data(context, builder, codes, args[0]), _data(context, builder, work, args[1])
        column, rank, left, right, own, added = cgutils.unpack_tuple(builder, args[2], 6)
        lane = ir.IntType(work.dtype.bitwidth)
        vector = ir.VectorType(lane, BLOCK).as_pointer()

        def place(base: Any, row: Any) -> Any:
            start = builder.mul(builder.sext(row, _INDEX), ir.Constant(_INDEX, BLOCK))
            return builder.bitcast(builder.gep(base, [start]), vector)

        def spread(number: Any) -> Any:
            return _splat(builder, builder.trunc(number, lane), BLOCK)

        above = builder.icmp_signed(">", builder.load(place(codes_at, column), align=32), spread(rank))
        gone_right = builder.add(builder.load(place(work_at, right), align=32), spread(added))
        picked = builder.select(above, gone_right, builder.load(place(work_at, left), align=32))
        builder.store(picked, place(work_at, own), align=32)
        return context.get_dummy_value()

    return types.void(codes, work, node), generate


@intrinsic
def _count(_typing: Any, values: Any, cuts: Any, _n_cuts: Any, codes: Any) -> Any:
    """Codes of one column: the number of its cuts below each value, less half the range of a code."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        values_at, cuts_at = _data(context, builder, values, args[0]), _data(context, builder, cuts, args[1])
        codes_at = _data(context, builder, codes, args[3])
        floats, counts = ir.VectorType(ir.FloatType(), CHUNK), ir.VectorType(ir.IntType(32), CHUNK)
        short = ir.VectorType(ir.IntType(codes.dtype.bitwidth), CHUNK)
        bias = ir.Constant(counts, [-(1 << (codes.dtype.bitwidth - 1))] * CHUNK)
        total = cgutils.alloca_once(builder, counts)
        for chunk in range(0, BLOCK, CHUNK):
            begin = ir.Constant(_INDEX, chunk)
            x = builder.load(builder.bitcast(builder.gep(values_at, [begin]), floats.as_pointer()), align=32)
            builder.store(bias, total)
            with cgutils.for_range(builder, args[2]) as loop:
                below = builder.fcmp_ordered("<", _splat(builder, builder.load(builder.gep(cuts_at, [loop.index])), CHUNK), x)
                builder.store(builder.sub(builder.load(total), builder.sext(below, counts)), total)
            out = builder.bitcast(builder.gep(codes_at, [begin]), short.as_pointer())
            builder.store(builder.trunc(builder.load(total), short), out, align=32)
        return context.get_dummy_value()

    return types.void(values, cuts, types.int64, codes), generate


@numba.njit(cache=True, inline="always")
def _look_up(x: Any, cuts: Any, low: Any, scale: Any, grid: Any, codes: Any, guess: Any, half: int) -> None:
    """Codes of one column: the grid gives the rank of the cell's first cut, the cuts within the cell are tried in turn."""
    for r in range(BLOCK):
        cell = (x[r] - low) * scale
        cell = cell if cell > np.float32(0) else np.float32(0)
        cell = cell if cell < np.float32(CELLS - 1) else np.float32(CELLS - 1)
        guess[r] = np.int32(cell)
    for r in range(BLOCK):
        rank = np.int64(grid[guess[r]])
        while cuts[rank] < x[r]:
            rank += 1
        codes[r] = rank - half


@numba.njit(cache=True, inline="always")
def _read(rows: Any, begin: int, size: int, features: Any, values: Any) -> None:
    """Used features of one block of rows, as float32."""
    for r in range(size):
        for j in range(len(features)):
            values[j, r] = np.float32(rows[begin + r, features[j]])


@numba.njit(cache=True, inline="always")
def _tree(codes: Any, work: Any, nodes: Any) -> None:
    """All nodes of one tree, children before parents."""
    for k in range(len(nodes)):
        _pick(codes, work, (nodes[k, 0], nodes[k, 1], nodes[k, 2], nodes[k, 3], nodes[k, 4], nodes[k, 5]))


@numba.njit(cache=True, inline="always")
def _add(result: Any, worth: Any, start: int, mask: int, total: Any) -> None:
    """Add what a tree's leaves are worth; without a table the result is the worth."""
    if len(worth):
        of_tree = worth[start:]
        for r in range(BLOCK):
            total[r] += of_tree[np.int64(result[r]) & mask]
    else:
        for r in range(BLOCK):
            total[r] += result[r]


@numba.njit(cache=True, nogil=True)
def _run(
    rows: Any, features: Any, source: Any, cuts: Any, cut_starts: Any, low: Any, scale: Any, grid: Any, grid_row: Any, group_columns: Any,
    group_trees: Any, nodes: Any, tree_nodes: Any, results: Any, worth: Any, worth_starts: Any,
    values: Any, codes: Any, work: Any, sums: Any, numbers: Any,
) -> None:  # fmt: skip
    guess, total = np.zeros(BLOCK, np.int32), np.empty(BLOCK, np.int64)
    mask = (1 << (8 * grid.itemsize)) - 1
    for begin in range(0, len(rows), BLOCK):
        size = min(BLOCK, len(rows) - begin)
        _read(rows, begin, size, features, values)
        total[:] = 0
        for g in range(len(group_trees) - 1):
            for c in range(group_columns[g], group_columns[g + 1]):
                x, own, out = values[source[c]], cuts[cut_starts[c] : cut_starts[c + 1]], codes[c - group_columns[g]]
                if scale[c] == 0:
                    _count(x, own, len(own) - 1, out)
                else:
                    _look_up(x, own, low[c], scale[c], grid[grid_row[c]], out, guess, (mask + 1) >> 1)
            for t in range(group_trees[g], group_trees[g + 1]):
                _tree(codes, work, nodes[tree_nodes[t] : tree_nodes[t + 1]])
                if len(numbers):
                    numbers[t, begin : begin + size] = work[results[t], :size].astype(np.int64) & mask
                else:
                    _add(work[results[t]], worth, worth_starts[t], mask, total)
        sums[begin : begin + size] = total[:size]
