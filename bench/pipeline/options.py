"""The options of ``python -m bench.pipeline``."""

import argparse
import re
from collections.abc import Callable

from bench import cli
from bench.backends import catalogue
from bench.core.errors import InputError

SETS, FRAMES = 3, 12
QUICK_SETS, QUICK_FRAMES = 1, 5
WARMUP = 2
PEOPLE, SIZE = "1,2,4,8,16", "1280x720"
RATE = 30.0  # of drawn videos and of files that do not tell
SEQUENCE = 90  # frames of a drawn video
BATCHING = {"each": ("one by one",), "batched": ("batched",), "both": ("one by one", "batched")}
FLIP = {"no": (False,), "yes": (True,), "both": (False, True)}
MOST_PEOPLE = 32  # that can be drawn

rate = cli.real_number("a rate", 0.1, 10_000)
jitter = cli.real_number("a jitter", 0, 0.5)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser(
        "pipeline",
        "Time the whole way from a frame to everybody's joints: read, detect, crop, network, joints. Frames are drawn "
        "scenes with exactly so many people unless others are given.",
    )
    cli.add_models_option(parser)
    parser.add_argument(
        "--input", metavar="HxW",
        help="height x width of the networks' input (default: 256x192; of bundled weights and of files: their own)",
    )  # fmt: skip
    parser.add_argument(
        "--joints", type=cli.joints,
        help="number of joints of the networks (default: what the weights or --skeleton say, or 17 of COCO)",
    )  # fmt: skip
    cli.add_skeleton_option(parser, "of the networks' joints, where their weights or files do not name them")
    cli.add_model_info_option(parser)
    parser.add_argument(
        "--weights", default="random", metavar="random|bundled|published|own|FILE",
        help="of the networks; accuracy on a drawn video needs trained ones",
    )  # fmt: skip
    parser.add_argument(
        "--backend", metavar="NAME[,NAME]", type=cli.names,
        help=f"of {', '.join(catalogue.names())} (default: onnxruntime; of a model file, what opens it)",
    )  # fmt: skip
    parser.add_argument("--precision", default="fp32", choices=catalogue.PRECISIONS)
    cli.add_device_option(parser, default="cpu")
    cli.add_threads_option(parser)
    _add_frames(parser)
    _add_boxes(parser)
    _add_scenario(parser)
    parser.add_argument(
        "--batching", choices=BATCHING, default="both", help="people one by one, all of a frame at once, or one each"
    )
    parser.add_argument("--flip", choices=FLIP, default="both", help="with the mirrored picture, without, or one each")
    parser.add_argument("--smooth", choices=("none", "one-euro"), default="none", help="joints over time, on a video")
    parser.add_argument("--draw", action="store_true", help="draw the skeletons, as a stage of its own")
    parser.add_argument("--frames", type=cli.count, metavar="N", help=f"timed frames a process (default: {FRAMES}; "
                        "of a video all)")  # fmt: skip
    parser.add_argument("--warmup", type=cli.whole_number("a number of frames", 0, 1_000_000), default=WARMUP,
                        help="frames before them, not counted")  # fmt: skip
    parser.add_argument("--sets", type=cli.count, help=f"fresh processes per network (default: {SETS})")
    parser.add_argument("--quick", action="store_true", help="one process and few frames; records are marked as quick")
    parser.add_argument("--seed", type=cli.seed, default=0, help="of random weights, drawn people and jitter")
    cli.add_timeout_option(parser)
    cli.add_missing_option(parser)
    arguments = _checked(parser.parse_args(argv))
    if arguments.source in ("pictures", "video"):
        cli.refuse(parser, argv, ["--people", "--size", "--jitter"], "it is of drawn frames, and these are your own")
    elif arguments.detector:
        cli.refuse(parser, argv, ["--jitter"], "it is of the boxes of drawn frames, and --detector finds others")
    if arguments.scenario == "offline":
        cli.refuse(parser, argv, ["--people", "--batching"], "--offline says how many people are taken at a time")
    if arguments.for_s is not None and arguments.source in ("scenes", "pictures"):
        cli.refuse(parser, argv, ["--frames"], "they take turns for the time of --for")
    return arguments


def _add_frames(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("frames")
    group.add_argument(
        "--people", type=people, default=PEOPLE, metavar="N[,N]", help=f"in drawn frames, 0 to {MOST_PEOPLE}"
    )
    group.add_argument("--size", type=sizes, default=SIZE, metavar="WxH[,WxH]", help="width x height of drawn frames")
    group.add_argument(
        "--motion", action="store_true",
        help="drawn videos: the first of several people stands still, the others move; with trained weights the "
        "record has the error against the truth, jitter and lag",
    )  # fmt: skip
    group.add_argument("--pictures", nargs="+", type=cli.file, metavar="PATH", help="pictures, or folders of them")
    group.add_argument("--video", type=cli.file, metavar="FILE", help="a video that OpenCV reads")


def _add_boxes(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where people are; without these, the boxes of drawn frames")
    group.add_argument(
        "--detector", type=cli.file, metavar="FILE",
        help="a detector as .onnx or OpenVINO's .xml (YOLOX, RTMDet, NanoDet, SSD, or with boxes ready), with a .json "
        "beside it where it does not tell all: docs/pipeline.md",
    )  # fmt: skip
    group.add_argument("--boxes", type=cli.file, metavar="FILE", help="a JSON file: a list with the boxes of each "
                       "frame; or, for pictures, as --boxes of bench.predict")  # fmt: skip
    group.add_argument(
        "--jitter", type=jitter, default=0.03, metavar="SHARE",
        help="of the boxes of drawn frames: standard deviation of each side, as a share of width or height",
    )  # fmt: skip
    group.add_argument(
        "--detect-every", type=numbers(cli.count), default="1", metavar="K[,K]",
        help="frames from one detection to the next, on a video; boxes in between come from the joints before",
    )  # fmt: skip


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("scenario: one frame after the other, unless one of these is given")
    group.add_argument(
        "--rate", type=rate, metavar="FPS",
        help="frames come at this rate: which are dropped, and how old an answer is when it comes",
    )  # fmt: skip
    group.add_argument("--streams", type=numbers(cli.threads), metavar="N[,N]", help="several streams side by side")
    group.add_argument(
        "--offline", type=numbers(cli.batch), metavar="B[,B]",
        help="as many people a second as can be, so many of any frames at a time",
    )  # fmt: skip
    group.add_argument(
        "--for", dest="for_s", type=cli.seconds, metavar="SECONDS",
        help="go on for this time, for instance to see what heat does (--rate and --streams: 10)",
    )  # fmt: skip


def _checked(arguments: argparse.Namespace) -> argparse.Namespace:
    asked = [name for name in ("rate", "streams", "offline") if getattr(arguments, name) is not None]
    if len(asked) > 1:
        raise InputError(f"--{asked[0]} and --{asked[1]} are two scenarios: give one of them")
    arguments.scenario = {"rate": "paced", "streams": "streams", "offline": "offline"}.get(
        asked[0] if asked else "", "single stream"
    )
    files = [name for name in ("motion", "pictures", "video") if getattr(arguments, name)]
    if len(files) > 1:
        raise InputError(f"--{files[0]} and --{files[1]}: give one kind of frames")
    arguments.source = files[0] if files else "scenes"
    if arguments.detector and arguments.boxes:
        raise InputError("--detector and --boxes both say where people are: give one of them")
    moving = arguments.source in ("motion", "video")
    for option, unusual in (("detect-every", arguments.detect_every != [1]), ("smooth", arguments.smooth != "none")):
        if unusual and not moving:
            raise InputError(f"--{option} needs frames that follow each other: give --video or --motion")
    if arguments.source in ("scenes", "motion") and arguments.boxes:
        raise InputError("--boxes is for frames of your own: leave it out, drawn frames have theirs")
    if arguments.source == "motion" and 0 in arguments.people:
        raise InputError("--motion needs somebody who moves: leave out 0 from --people")
    if arguments.scenario == "offline" and (moving or 0 in arguments.people):
        raise InputError("--offline takes people of any frames at a time: leave out --video, --motion and 0 people")
    quick = arguments.quick
    arguments.protocol = "quick" if quick else arguments.scenario
    arguments.sets = arguments.sets or (QUICK_SETS if quick else 1 if arguments.for_s else SETS)
    if arguments.frames is None:
        arguments.frames = QUICK_FRAMES if quick else (SEQUENCE if arguments.source == "motion" else FRAMES)
        arguments.all_frames = arguments.source in ("pictures", "video") and not quick
    else:
        arguments.all_frames = False
    if arguments.for_s is None and arguments.scenario in ("paced", "streams"):
        arguments.for_s = 2.0 if quick else 10.0
    return arguments


def numbers(kind: Callable[[str], int]) -> Callable[[str], list[int]]:
    """``1,2,4`` as numbers, each once."""

    def parse(text: str) -> list[int]:
        return list(dict.fromkeys(kind(part.strip()) for part in text.split(",")))

    return parse


people = numbers(cli.whole_number("a number of people", 0, MOST_PEOPLE))


def sizes(text: str) -> list[tuple[int, int]]:
    """``1280x720,1920x1080`` as (width, height) pairs."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", part.strip())
        if not match or not (64 <= int(match[1]) <= 7680 and 64 <= int(match[2]) <= 4320):
            raise argparse.ArgumentTypeError(
                f"{part[:40]!r} is no size of frames: give WIDTHxHEIGHT from 64x64 to 7680x4320, such as 1280x720"
            )
        found.append((int(match[1]), int(match[2])))
    return list(dict.fromkeys(found))
