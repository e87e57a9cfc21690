"""Rows that wait for rows: in which order they can move, and which have to move at once."""

from collections.abc import Collection, Iterator, Mapping


def holders_first(holders: Mapping[str, Collection[str]]) -> list[frozenset[str]]:
    """The rows in groups, each behind those that it waits for; the rows of one group all wait for each other.

    `holders` names for each row those that it waits for. The groups are the strongly connected components, found as
    Tarjan does, without recursion: ten thousand rows may wait in one chain.
    """
    groups: list[frozenset[str]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_rows: list[str] = []
    is_open: set[str] = set()
    for start in holders:
        path: list[tuple[str, Iterator[str]]] = [(start, iter(()))] if start not in number else []
        while path:
            row, ahead = path[-1]
            if row not in number:
                number[row] = lowest[row] = len(number)
                open_rows.append(row)
                is_open.add(row)
                ahead = iter(holders.get(row, ()))
                path[-1] = (row, ahead)
            if (holder := next(ahead, None)) is not None:
                if holder not in number:
                    path.append((holder, iter(())))
                elif holder in is_open:
                    lowest[row] = min(lowest[row], number[holder])
                continue
            path.pop()
            if path:
                lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[row])
            if lowest[row] == number[row]:
                place = len(open_rows) - 1
                while open_rows[place] != row:
                    place -= 1
                group = frozenset(open_rows[place:])
                del open_rows[place:]
                is_open -= group
                groups.append(group)
    return groups
