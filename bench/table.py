"""Prints what bench/run found."""

from figures import AT_ONCE

TITLE = 43


def print_starts(starts, titles, modules):
    wanted = ", ".join(modules) or "nothing"
    print(f"Until the first byte of a script that imports {wanted}, in ms")
    print(" " * TITLE + "".join(f"{f'{n} at once':>18}" for n in AT_ONCE))
    print(" " * TITLE + f"{'median':>10}{'p99':>8}" * len(AT_ONCE))
    for name, title in titles.items():
        cells = [start_cells(starts, name, at_once) for at_once in AT_ONCE]
        if any(cell.strip() for cell in cells):
            print(f"{title:{TITLE}}" + "".join(cells))
        if name in starts.why_not:
            print(f"{title:{TITLE}}  no: {starts.why_not[name]}")
    print()


def start_cells(starts, name, at_once):
    median, p99 = starts.median(name, at_once), starts.p99(name, at_once)
    if median is None:
        return " " * 18
    return f"{short(median):>10}{short(p99):>8}"


def short(number):
    """Three digits, or all before the point."""
    if number >= 100 or isinstance(number, int):
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def print_figures(figures):
    print(
        f"{'Figure':{TITLE}}{'here':>12}{'bar':>13}{'':10}"
        f"{'limit here':>12}{'of it':>8}"
    )
    for figure in figures:
        print(f"{figure.title:{TITLE}}{figure_cells(figure)}".rstrip())


def figure_cells(figure):
    if figure.value is None:
        return f"  no: {figure.why_not or 'not taken'}"
    here = f"{short(figure.value)} {figure.unit}"
    bar = verdict = limit = times = ""
    if figure.bar is not None:
        sign = "<=" if figure.at_most else ">="
        bar = f"{sign} {short(figure.bar)}"
        verdict = "reached" if figure.reached else "MISSED"
    if figure.limit:
        limit = f"{short(figure.limit)} {figure.unit}"
        times = f"{short(figure.value / figure.limit)} x"
    return f"{here:>12}{bar:>13}  {verdict:8}{limit:>12}{times:>8}"
