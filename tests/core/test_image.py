"""Reading and writing pictures: orientation, modes, limits and every kind of broken file."""

import errno
import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from delineate.core.image import check_file, image_size, read_image, stored_size, write_image
from delineate.errors import ImageError, OutputError

# 48 x 32 pixels in 16-pixel blocks of plain colours, so that JPEG keeps them apart.
COLOURS = np.array(
    [
        [[250, 10, 10], [10, 250, 10], [10, 10, 250]],
        [[250, 250, 10], [10, 250, 250], [250, 10, 250]],
    ],
    np.uint8,
)
PICTURE = COLOURS.repeat(16, axis=0).repeat(16, axis=1)

UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


def encoded(array=PICTURE, format_name="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format_name, **options)
    return stream.getvalue()


def saved(folder: Path, data: bytes, name="picture") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_header(height: int, width: int) -> bytes:
    """A PNG that promises `height` x `width` and holds almost nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 100)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "BMP", "WEBP"])
def test_lossless_formats_give_the_pixels_back(format_name):
    options = {"lossless": True} if format_name == "WEBP" else {}
    result = read_image(encoded(format_name=format_name, **options))
    np.testing.assert_array_equal(result, PICTURE)
    assert result.flags.writeable
    assert result.flags.c_contiguous


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation_is_applied_to_pixels_and_size(tmp_path, format_name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, encoded(format_name=format_name, exif=exif))
    expected = UPRIGHT[orientation](PICTURE).astype(int)
    result = read_image(path)
    assert result.shape == expected.shape
    assert np.abs(result[8::16, 8::16] - expected[8::16, 8::16]).max() < 20
    assert image_size(path) == expected.shape[:2]
    assert check_file(path) == expected.shape[:2]
    if format_name != "TIFF":  # Pillow knows only the upright size of a TIFF
        assert stored_size(path) == PICTURE.shape[:2]


def test_orientation_of_a_pillow_image_is_applied_once():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(exif=exif)))
    np.testing.assert_array_equal(read_image(image), np.rot90(PICTURE, -1))


def test_damaged_exif_is_no_reason_to_refuse_a_picture():
    result = read_image(encoded(format_name="JPEG", exif=b"Exif\0\0JUNKJUNKJUNK"))
    assert result.shape == PICTURE.shape


def test_grey_becomes_three_equal_channels():
    grey = np.array([[0, 100, 255]], np.uint8)
    np.testing.assert_array_equal(read_image(encoded(grey)), np.repeat(grey[..., None], 3, axis=2))


def test_one_bit_becomes_black_and_white():
    bits = np.array([[True, False]])
    np.testing.assert_array_equal(read_image(encoded(bits))[..., 0], [[255, 0]])


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_alpha_is_dropped_and_the_colour_below_kept(alpha):
    rgba = np.array([[[10, 20, 30, alpha]]], np.uint8)
    np.testing.assert_array_equal(read_image(encoded(rgba)), [[[10, 20, 30]]])
    grey_alpha = Image.merge("LA", [Image.new("L", (1, 1), 77), Image.new("L", (1, 1), alpha)])
    np.testing.assert_array_equal(read_image(grey_alpha), [[[77, 77, 77]]])


@pytest.mark.parametrize("transparency", [0, b"\0\x80"], ids=["index", "table"])
def test_palette_is_looked_up_and_its_transparency_dropped(transparency):
    image = Image.new("P", (2, 1))
    image.putpalette([200, 100, 50, 1, 2, 3])
    image.putdata([0, 1])
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=transparency)
    np.testing.assert_array_equal(read_image(stream.getvalue()), [[[200, 100, 50], [1, 2, 3]]])


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_the_high_byte(format_name):
    grey = np.array([[0, 255, 256, 0x8000, 65535]], np.uint16)
    result = read_image(encoded(grey, format_name))
    np.testing.assert_array_equal(result[..., 0], [[0, 0, 1, 128, 255]])


def test_sixteen_bit_colour_follows_the_same_rule():
    """Pillow cannot write 16-bit RGB, so this PNG is made by hand: 0x80FF 0x0100 0xFFFF."""
    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    row = zlib.compress(b"\0" + bytes.fromhex("80ff0100ffff"))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        png_chunk(kind, content)
        for kind, content in [(b"IHDR", header), (b"IDAT", row), (b"IEND", b"")]
    )
    np.testing.assert_array_equal(read_image(data), [[[0x80, 0x01, 0xFF]]])


def test_cmyk_is_converted():
    red = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    stream = io.BytesIO()
    red.save(stream, "JPEG", quality=95)
    pixel = read_image(stream.getvalue())[4, 4].astype(int)
    assert np.abs(pixel - [255, 0, 0]).max() < 8


def test_float_files_go_from_zero_to_one():
    unit = np.array([[0, 0.5, 1]], np.float32)
    np.testing.assert_array_equal(read_image(encoded(unit, "TIFF"))[..., 0], [[0, 128, 255]])
    with pytest.raises(ImageError, match="floats from 0 to 1"):
        read_image(encoded(unit * 255, "TIFF"))


def test_the_first_frame_is_read():
    frames = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[::-1].copy())]
    stream = io.BytesIO()
    frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(stream.getvalue()), PICTURE)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((2, 3), 7, np.uint8), 7),
        (np.full((2, 3, 1), 7, np.uint8), 7),
        (np.full((2, 3, 3), 7, np.uint8), 7),
        (np.full((2, 3, 4), 7, np.uint8), 7),
        (np.ones((2, 3), bool), 255),
        (np.full((2, 3), 0x1234, np.uint16), 0x12),
        (np.full((2, 3, 3), 0.2, np.float32), 51),
        (np.full((2, 3, 3), 1.0000001, np.float64), 255),
    ],
)
def test_arrays_follow_the_same_rules(array, expected):
    result = read_image(array)
    assert (result.shape, result.dtype) == ((2, 3, 3), np.uint8)
    assert (result == expected).all()


def test_an_rgb_array_is_not_copied():
    assert read_image(PICTURE) is PICTURE or np.shares_memory(read_image(PICTURE), PICTURE)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 8, 8), np.uint8),  # channels first
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.int64),
        np.full((8, 8), 255.0),
        np.full((8, 8), -0.1),
        np.full((8, 8), np.nan),
        np.zeros((8, 8), complex),
    ],
    ids=["chw", "batch", "no rows", "int64", "0..255 float", "negative", "nan", "complex"],
)
def test_arrays_of_unknown_meaning_are_refused(array):
    with pytest.raises(ImageError, match="the array has"):
        read_image(array)


def test_paths_streams_and_bytes_give_the_same(tmp_path):
    path = saved(tmp_path, encoded())
    with path.open("rb") as stream:
        from_stream = read_image(stream)
    for result in (from_stream, read_image(path), read_image(str(path))):
        np.testing.assert_array_equal(result, PICTURE)


def broken_files():
    jpeg, png = (
        encoded(format_name="JPEG"),
        encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)),
    )
    return {
        "empty": (b"", "is empty"),
        "text": (b"hello, this is a text file\n" * 9, "is no JPEG"),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no JPEG"),
        "gif": (b"GIF89a\1\0\1\0\0\0\0;", "is no JPEG"),
        "sound": (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "truncated or damaged"),
        "jpeg start only": (jpeg[:2], "is no JPEG"),
        "jpeg header only": (jpeg[:40], "truncated or damaged"),
        "jpeg half": (jpeg[: len(jpeg) - 200], "truncated or damaged"),
        "png half": (png[: len(png) // 2], "truncated or damaged"),
        "tiff": (encoded(format_name="TIFF")[:100], "truncated or damaged"),
        "webp": (encoded(format_name="WEBP")[:60], "truncated or damaged"),
        "bmp": (encoded(format_name="BMP")[:30], "truncated or damaged"),
        "30000 x 30000": (png_header(30000, 30000), "more than the limit"),
    }


@pytest.mark.parametrize(("data", "sentence"), broken_files().values(), ids=broken_files())
def test_a_broken_file_is_one_sentence_with_its_name(tmp_path, data, sentence):
    path = saved(tmp_path, data, "broken.jpg")
    with pytest.raises(ImageError, match=sentence) as caught:
        read_image(path)
    assert "broken.jpg" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ImageError, match=sentence):
        check_file(path)


@pytest.mark.parametrize("read", [read_image, image_size, check_file])
def test_places_that_are_no_file(tmp_path, read, monkeypatch):
    with pytest.raises(ImageError, match="does not exist"):
        read(tmp_path / "nothing.png")
    with pytest.raises(ImageError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(ImageError, match="cannot be opened"):
        read("nul\0byte")
    with pytest.raises(ImageError, match=r"n cannot be opened \(File name too long\)"):
        read(tmp_path / ("n" * 300))

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("delineate.core.image_open.open", refuse, raising=False)
    with pytest.raises(ImageError, match="may not be read"):
        read(tmp_path / "secret.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("read", [read_image, check_file])
def test_a_named_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"cannot be opened \(a pipe"):
        read(tmp_path / "a.jpg")


def test_the_pixel_limit_is_the_callers_and_nobody_elses(tmp_path):
    """Pillow warns from 89 and refuses from 179 million pixels; neither limit is touched."""
    before = Image.MAX_IMAGE_PIXELS
    path = saved(tmp_path, png_header(15000, 15000))
    assert image_size(path) == (15000, 15000)
    assert check_file(path, max_pixels=225_000_000) == (15000, 15000)
    with pytest.raises(
        ImageError, match="15000 x 15000 pixels, more than the limit of 200,000,000"
    ):
        read_image(path)
    assert before == Image.MAX_IMAGE_PIXELS
    for source in (PICTURE, Image.fromarray(PICTURE), encoded()):
        with pytest.raises(ImageError, match="limit of 1,535"):
            read_image(source, max_pixels=32 * 48 - 1)
        assert read_image(source, max_pixels=32 * 48).shape == (32, 48, 3)


def test_a_whole_file_is_checked_without_decoding_it(tmp_path, monkeypatch):
    def decode(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    for format_name in ("JPEG", "PNG", "WEBP"):
        assert check_file(saved(tmp_path, encoded(format_name=format_name))) == (32, 48)
    padded = encoded(format_name="JPEG") + b"\0" * 500
    assert check_file(saved(tmp_path, padded)) == (32, 48)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_a_whole_file_with_a_long_appendix_passes_the_check(tmp_path, format_name):
    data = encoded(format_name=format_name) + b"a film that a phone appended" * 500
    assert check_file(saved(tmp_path, data)) == (32, 48)


CUTTABLE = {
    "bmp": {"format_name": "BMP"},
    "tiff": {"format_name": "TIFF"},
    "tiff, lzw": {"format_name": "TIFF", "compression": "tiff_lzw"},
    "tiff, deflate": {"format_name": "TIFF", "compression": "tiff_deflate"},
    "webp": {"format_name": "WEBP"},
    "webp, lossless": {"format_name": "WEBP", "lossless": True},
}


@pytest.mark.parametrize("cut", [1, 9, 1600])
@pytest.mark.parametrize("options", CUTTABLE.values(), ids=CUTTABLE)
def test_a_cut_file_is_an_image_error_and_no_warning(tmp_path, options, cut):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = encoded(noise, **options)
    assert check_file(saved(tmp_path, data)) == (64, 64)
    path = saved(tmp_path, data[:-cut])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for read in (check_file, read_image):
            with pytest.raises(ImageError, match="truncated or damaged"):
                read(path)


def tiff_with_an_odd_tag() -> bytes:
    """A whole TIFF whose software tag points behind the end, at which Pillow warns."""
    data = encoded(format_name="TIFF", software="a name of more than four bytes")
    (tags,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, tags)
    for entry in range(tags + 2, tags + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry) == (305,):
            return data[: entry + 8] + struct.pack("<I", 10**6) + data[entry + 12 :]
    raise AssertionError("no such tag")


@pytest.mark.parametrize("threads", [1, 8])
def test_an_odd_file_is_read_without_a_warning_and_filters_stay(threads):
    data, wrong = tiff_with_an_odd_tag(), []

    def work():
        for _ in range(20):
            if not np.array_equal(read_image(data), PICTURE):
                wrong.append(1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            Image.open(io.BytesIO(data)).load()
        before = list(warnings.filters)
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not wrong
        assert warnings.filters == before


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_writing_and_reading_gives_the_picture_back(tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    write_image(path, PICTURE)
    np.testing.assert_array_equal(read_image(path), PICTURE)
    write_image(path, PICTURE[..., 0])
    np.testing.assert_array_equal(read_image(path)[..., 1], PICTURE[..., 0])
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_stay_close(tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    write_image(path, PICTURE)
    assert np.abs(read_image(path)[8::16, 8::16].astype(int) - COLOURS).max() < 12


def test_sixteen_bit_labels_are_written_whole(tmp_path):
    labels = np.array([[0, 1, 300, 65535]], np.uint16)
    write_image(tmp_path / "labels.png", labels)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "labels.png")), labels)


def test_written_files_have_ordinary_permissions(tmp_path):
    write_image(tmp_path / "a.png", PICTURE)
    (tmp_path / "b").touch()
    assert (tmp_path / "a.png").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize(
    "array",
    [
        PICTURE.astype(np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.uint16),
    ],
    ids=["float", "rgba", "no rows", "16-bit colour"],
)
def test_arrays_that_are_no_picture_are_not_written(tmp_path, array):
    with pytest.raises(ImageError, match="convert it first"):
        write_image(tmp_path / "picture.png", array)
    assert os.listdir(tmp_path) == []


def test_a_format_that_cannot_hold_the_array(tmp_path):
    with pytest.raises(ImageError, match="choose another suffix"):
        write_image(tmp_path / "labels.jpg", np.zeros((4, 4), np.uint16))


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(OutputError, match=r"\.png, \.jpg"):
        write_image(tmp_path / "picture.gif", PICTURE)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"picture.png cannot be written .*make room on the disk"):
        write_image(path, PICTURE)
    assert os.listdir(tmp_path) == ["picture.png"]
    assert path.read_bytes() == b"old"


def test_a_missing_folder_is_not_made(tmp_path):
    with pytest.raises(OutputError, match="make its folder first"):
        write_image(tmp_path / "missing" / "picture.png", PICTURE)
    assert os.listdir(tmp_path) == []


def test_a_quick_look_at_a_jpeg_is_smaller_and_shows_the_same(tmp_path):
    large = np.asarray(Image.fromarray(PICTURE).resize((640, 400)))
    path = saved(tmp_path, encoded(large, "JPEG"))
    quick = read_image(path, at_least=100)
    assert quick.shape == (100, 160, 3)
    shrunk = np.asarray(Image.fromarray(read_image(path)).resize((160, 100), Image.Resampling.BOX))
    assert np.abs(quick.astype(int) - shrunk).mean() < 2
    assert read_image(path, at_least=101).shape == (200, 320, 3)
    assert read_image(path, at_least=401).shape == (400, 640, 3)
    assert read_image(saved(tmp_path, encoded(large, "PNG")), at_least=10).shape == large.shape


def test_many_threads_read_at_once(tmp_path):
    path = saved(tmp_path, encoded(format_name="JPEG"))
    expected, wrong = read_image(path), []

    def work():
        for _ in range(20):
            if not np.array_equal(read_image(path), expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_hostile_bytes_never_raise_anything_else():
    """300 mutations of five formats, seeded: each reads or is an ImageError."""
    rng = np.random.default_rng(0)
    small = PICTURE[::4, ::4].copy()
    outcomes = set()
    for format_name in ("JPEG", "PNG", "TIFF", "BMP", "WEBP"):
        original = np.frombuffer(encoded(small, format_name), np.uint8)
        for _ in range(60):
            data = original.copy()
            data[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
            try:
                read_image(data.tobytes(), max_pixels=100_000)
                outcomes.add("read")
            except ImageError:
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}
