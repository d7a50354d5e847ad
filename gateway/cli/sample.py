"""Scans and photos that nobody sat for: the demo's case, and the tests' raw material.

An arch is one strip of surface laid over a horseshoe: across it a rounded section from the outer
base over the crest to the inner base, along it the swellings of fourteen teeth. Its base and its
ends are open, as those of an intra-oral scan are: one piece with one border. A photo is
drawn. Both carry what real files carry and should not: a header with the patient's name in a path,
Exif with a place.
"""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import trimesh
from PIL import Image, ImageDraw, ImageFilter
from trimesh.exchange.stl import export_stl

Triangles = npt.NDArray[np.float32]
_Floats = npt.NDArray[np.float64]
View = Literal["front", "upper", "lower"]

_HEADER = rb"exported 2026-11-20 14:03 C:\scans\Voorbeeld_S\arch.stl"

# Widths along the arch in mm from the middle incisor to the second molar, one side.
_UPPER_MM = (8.5, 6.5, 7.5, 7.0, 7.0, 10.0, 9.5)
_LOWER_MM = (5.5, 6.0, 7.0, 7.0, 7.0, 11.0, 10.5)
# From edge to root side as far as it is seen, and across: incisors are blades, molars are blocks.
_CROWN_MM = (9.0, 8.0, 9.0, 7.5, 7.0, 6.5, 6.0)
_THICK_MM = (2.2, 2.2, 3.0, 3.6, 3.8, 4.6, 4.6)
_GUM_MM, _GUM_THICK_MM = 8.0, 6.0
_LENGTH_TO_SECTION = 7  # grid steps along the arch for each across it


def arch(triangles: int, seed: int, *, upper: bool = True) -> Triangles:
    """An open dental arch, about 60 x 50 x 18 mm.

    Args:
        triangles: About how many; the grid decides.
        seed: Of the small differences between teeth.
        upper: Upper or lower jaw; the upper one faces down.

    Returns:
        Corners in mm, shape (triangles, 3 corners, 3 axes), counter-clockwise seen from outside.
    """
    across = max(4, round((triangles / 2 / _LENGTH_TO_SECTION) ** 0.5))
    along = max(4, round(triangles / 2 / across))
    points = _surface(along, across, np.random.default_rng(seed), upper=upper)
    first = np.arange(along * (across + 1)).reshape(along, across + 1)[:, :-1].ravel()
    beside, beyond = first + 1, first + across + 1
    corners = np.concatenate(
        (
            np.stack((first, beside, beyond), axis=1),
            np.stack((beside, beyond + 1, beyond), axis=1),
        )
    )
    triangles_of_strip: Triangles = points.astype(np.float32)[corners]
    return triangles_of_strip


def scan(triangles: int, seed: int, *, upper: bool = True, missed_mm: float = 0.0) -> bytes:
    """An arch as the binary STL that a careless export writes, path in its header.

    Args:
        triangles: As for `arch`.
        seed: As for `arch`.
        upper: As for `arch`.
        missed_mm: Radius of a hole at the tip of a tooth, where the scanner did not look.
    """
    corners = arch(triangles, seed, upper=upper)
    centres = corners.mean(axis=1)
    tip = centres[np.abs(centres[:, 2]).argmax()]
    corners = corners[np.linalg.norm(centres - tip, axis=1) >= missed_mm]
    every_corner = np.arange(3 * len(corners)).reshape(-1, 3)
    mesh = trimesh.Trimesh(corners.reshape(-1, 3), every_corner, process=False)
    return _HEADER.ljust(80) + export_stl(mesh)[80:]


@dataclass(frozen=True, slots=True)
class _Row:
    """The teeth of one jaw along its arch; each array has a value for every step."""

    swelling: _Floats  # 0 between two teeth, 1 in the middle of one
    crown: _Floats
    thick: _Floats
    place: _Floats  # -1 to 1 within the tooth
    molar: _Floats  # 0 for a blade, 1 for a block with cusps


def _surface(along: int, across: int, random: np.random.Generator, *, upper: bool) -> _Floats:
    """Points of the strip, shape ((along + 1) * (across + 1), 3 axes)."""
    way = np.linspace(0.0, 1.0, along + 1)
    row = _row(way, _UPPER_MM if upper else _LOWER_MM, random)
    turn = np.radians(np.linspace(-100.0, 100.0, along + 1))
    centre = np.stack((26.0 * np.sin(turn), 36.0 * np.cos(turn)), axis=1)
    outward = np.stack((36.0 * np.sin(turn), 26.0 * np.cos(turn)), axis=1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    fade = np.minimum(1.0, 12.0 * np.minimum(way, 1.0 - way)) ** 0.5  # the ends sink to the base

    angle = np.linspace(0.0, np.pi, across + 1)[None, :]
    rise = np.sin(angle) ** 0.6
    height = fade[:, None] * rise * (_GUM_MM + row.crown * row.swelling)[:, None]
    above_gum = np.clip((height - _GUM_MM) / 3.0, 0.0, 1.0)
    half = _GUM_THICK_MM + above_gum * (row.thick * row.swelling**0.5 - _GUM_THICK_MM)[:, None]
    side = half * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.7
    cusps = np.cos(2 * np.pi * row.place)[:, None] * np.cos(6 * angle)
    height += 0.5 * cusps * above_gum * row.molar[:, None] * fade[:, None]

    flat = centre[:, None, :] + side[:, :, None] * outward[:, None, :]
    points = np.concatenate((flat, height[:, :, None]), axis=2).reshape(-1, 3)
    if upper:  # turned about the long axis, which leaves outside outside
        points *= (-1.0, 1.0, -1.0)
    return points


def _row(way: _Floats, half: tuple[float, ...], random: np.random.Generator) -> _Row:
    widths = np.array((*half[::-1], *half)) * random.normal(1.0, 0.03, 2 * len(half))
    borders = np.concatenate(([0.0], np.cumsum(widths))) / widths.sum()
    inside = 0.03 + 0.94 * borders  # a little gum behind the last molars
    tooth = np.clip(np.searchsorted(inside, way, side="right") - 1, 0, len(widths) - 1)
    kind = np.abs(tooth - (len(widths) - 1) / 2).astype(int)  # 0 is a middle incisor
    place = 2 * (way - inside[tooth]) / (inside[tooth + 1] - inside[tooth]) - 1
    within = np.clip(1.0 - place**4, 0.0, 1.0)
    longer = random.normal(1.0, 0.05, len(widths))[tooth]
    return _Row(
        swelling=within**0.5,
        crown=np.array(_CROWN_MM)[kind] * longer,
        thick=np.array(_THICK_MM)[kind],
        place=np.clip(place, -1.0, 1.0),
        molar=np.clip((kind - 2) / 3, 0.0, 1.0),
    )


_SIZE_PX = (1200, 800)
_LIP, _GUM, _SHADE, _TOOTH, _DARK = "#8c3b3f", "#c9706f", "#a8514f", "#efe6d2", "#2a0d10"


def photo(view: View, seed: int) -> bytes:
    """A drawn intra-oral photo as JPEG, with the Exif that a camera would add.

    The view of the upper jaw is stored turned by a quarter, as cameras do: its orientation tag
    says so.
    """
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", _SIZE_PX, _LIP)
    draw = ImageDraw.Draw(picture)
    if view == "front":
        _draw_front(draw, random)
    else:
        _draw_jaw(draw, random, upper=view == "upper")
    picture = _lit(picture.filter(ImageFilter.GaussianBlur(2.5)), random)
    orientation = 1
    if view == "upper":
        picture, orientation = picture.transpose(Image.Transpose.ROTATE_90), 6
    with io.BytesIO() as content:
        exif = _exif(orientation)
        picture.save(content, "JPEG", quality=88, exif=exif, comment=b"chair 2, sample practice")
        return content.getvalue()


def _draw_front(draw: ImageDraw.ImageDraw, random: np.random.Generator) -> None:
    """Both rows closed, seen from the front."""
    draw.ellipse((60, 60, 1140, 740), fill=_DARK)
    for sign, widths in ((-1, _UPPER_MM), (1, _LOWER_MM)):
        gum = (120, 190, 1080, 400) if sign < 0 else (150, 400, 1050, 620)
        draw.ellipse(gum, fill=_GUM, outline=_SHADE, width=6)
        for side in (-1, 1):
            edge = 600.0
            for kind, width_mm in enumerate(widths):
                width = width_mm * 11 * (1 - 0.11 * kind)  # those further back are seen aslant
                height = _CROWN_MM[kind] * 15 * (1 - 0.05 * kind) * random.normal(1.0, 0.03)
                sink = 3.0 * kind**1.6
                base = 402 + sign * 2 - sink
                left, right = sorted((edge, edge + side * (width - 4)))
                top, bottom = sorted((base, base + sign * height))
                draw.rounded_rectangle(
                    (left, top, right, bottom),
                    radius=width / 4,
                    fill=_TOOTH,
                    outline=_SHADE,
                    width=3,
                )
                edge += side * width


def _draw_jaw(draw: ImageDraw.ImageDraw, random: np.random.Generator, *, upper: bool) -> None:
    """One arch seen in a mirror: the front teeth of the upper jaw above, of the lower below."""
    front = -1 if upper else 1
    middle_x, middle_y = 600, 400 - front * 170
    draw.ellipse((170, 10, 1030, 790), fill=_GUM, outline=_SHADE, width=8)
    tongue = (400, 230, 800, 700) if upper else (400, 100, 800, 570)
    draw.ellipse(tongue, fill=_SHADE if upper else "#b85c60")
    half = _UPPER_MM if upper else _LOWER_MM
    for side in (-1, 1):
        gone = 0.0
        for kind, width_mm in enumerate(half):
            turn = np.radians(97.0) * (gone + width_mm / 2) / sum(half)
            gone += width_mm
            x = middle_x + side * 330 * np.sin(turn)
            y = middle_y + front * 470 * np.cos(turn)
            size = width_mm * (5.2 + 1.1 * turn**2), _THICK_MM[kind] * 12 * random.normal(1.0, 0.03)
            _draw_tooth(draw, (x, y), size, side * front * turn)


def _draw_tooth(
    draw: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    half_size: tuple[float, float],
    turn: float,
) -> None:
    round_about = np.linspace(0, 2 * np.pi, 40)
    cosine, sine = np.cos(round_about), np.sin(round_about)
    along = half_size[0] * np.sign(cosine) * np.abs(cosine) ** 0.6
    across = half_size[1] * np.sign(sine) * np.abs(sine) ** 0.6

    def outline(scale: float) -> list[tuple[float, float]]:
        x = centre[0] + scale * (along * np.cos(turn) + across * np.sin(turn))
        y = centre[1] + scale * (across * np.cos(turn) - along * np.sin(turn))
        return list(zip(x.tolist(), y.tolist(), strict=True))

    draw.polygon(outline(1.0), fill=_TOOTH, outline=_SHADE, width=3)
    draw.polygon(outline(0.45), fill="#dccfb4")


def _lit(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """A ring flash: bright in the middle, dark at the rim, and the grain of a sensor."""
    pixels = np.asarray(picture, dtype=np.float64)
    rows, columns = (np.linspace(-1.0, 1.0, count) for count in pixels.shape[:2])
    light = 1.12 - 0.45 * (rows[:, None] ** 2 + columns[None, :] ** 2)
    grain = random.normal(0.0, 3.0, pixels.shape[:2])
    lit = pixels * light[:, :, None] + grain[:, :, None]
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


def _exif(orientation: int) -> Image.Exif:
    """What cameras write: make, serial number, time, place (a point in the North Sea)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0110], exif[0x0131] = "Sample", "Sample Camera 1", "sample firmware 1.0"
    exif[0x0132] = "2026:11:20 14:03:00"
    exif[0x013B] = "sample practice"
    exif.get_ifd(0x8769)[0xA431] = "SN-0012345"
    place = exif.get_ifd(0x8825)
    place[1], place[2] = "N", (54.0, 30.0, 0.0)
    place[3], place[4] = "E", (4.0, 15.0, 0.0)
    return exif
