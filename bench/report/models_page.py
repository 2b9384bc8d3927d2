"""A card for every network of the zoo, as a page: what it is, its sources, cost, published accuracy."""

from bench.report import paper
from bench.report.measured import Measured
from zoo.registry import list_models, model_card
from zoo.weights.catalogue import published

# Input size and joints of the rows of Tables I and III.
INPUTS = (("256x192", 17), ("384x288", 17), ("256x256", 16))
TABLES = ((1, "COCO val2017", "ap", "AP"), (2, "COCO test-dev2017", "ap", "AP"), (3, "MPII val", "pckh", "PCKh"))


def page(measured: Measured) -> str:
    """All cards as Markdown; costs from complexity records, accuracy from the paper and the publishers."""
    parts = [
        "# The networks",
        "**Bold**: measured (one multiply-add counts as one, by the two conventions of the paper's tables; the records "
        "are in [records.csv](records.csv)). *Italic*: accuracy as published. —: no such figure.",
    ]
    for name in list_models():
        parts += _card(name, measured)
    return "\n\n".join(parts) + "\n"


def _card(name: str, measured: Measured) -> list[str]:
    card = model_card(name)
    about = [
        f"- **{paper.method(card.method)}**, backbone {card.backbone}",
        f"- Paper: {card.paper}",
        f"- What is built: {card.source}",
    ]
    quirks = [f"- Quirk: {quirk}" for quirk in card.quirks]
    return [f"## {name}", "\n".join(about + quirks), _costs(name, measured), _accuracy(name)]


def _costs(name: str, measured: Measured) -> str:
    lines = [
        "| input | joints | parameters | multiply-adds, mmcv | multiply-adds, torchstat |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    absent = []
    for size, joints in INPUTS:
        record = measured.complexity(name, size, joints)
        if record is None:
            absent.append(f"{size} with {joints} joints")
            continue
        # torchstat does not know every layer of the newer networks.
        counts = (record.metrics.get(key) for key in ("params", "macs_mmcv", "macs_torchstat"))
        cells = ["—" if count is None else f"**{count / 1e6:,.2f} M**" for count in counts]
        lines.append(f"| {size} | {joints} | {' | '.join(cells)} |")
    counted = ["\n".join(lines)] if len(absent) < len(INPUTS) else []
    return "\n\n".join([*counted, *([f"Not counted: {', '.join(absent)}."] if absent else [])])


def _accuracy(name: str) -> str:
    """What the paper's tables print and, where weights were published, what their publisher reports."""
    lines = [
        "| published accuracy | input | by the paper | by the publisher of the weights |",
        "| --- | --- | --- | --- |",
    ]
    weights = {
        (entry.dataset, entry.input): f"*{', '.join(entry.metrics)}*" for entry in published() if entry.model == name
    }
    for number, dataset, key, title in TABLES:
        for row in paper.table(number):
            if row["model"] == name:
                # The figures of the weights are of the validation sets.
                own = weights.pop(({1: "coco", 3: "mpii"}.get(number, ""), row["input"]), "—")
                lines.append(f"| {dataset} | {row['input']} | *{title} {row[key]}* | {own} |")
    validation = {"coco": "COCO val2017", "mpii": "MPII val"}
    lines += [f"| {validation[dataset]} | {size} | — | {figures} |" for (dataset, size), figures in weights.items()]
    return "\n".join(lines)
