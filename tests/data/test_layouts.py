"""Layouts that data sets have: classes in folders, images with masks, lists of names; and what is said of the rest."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.data import loaded, untrained
from archspec.data._parts import part_of
from archspec.data.image_folder import ImageFolder
from archspec.data.segmentation_folder import SegmentationFolder
from archspec.diagnostics import DataError

CLASSIFIED = {
    "torchvision, nested": ["train/a/1.png", "train/a/more/2.jpg", "train/b/x/y/3.png", "val/a/4.png", "val/b/5.png"],
    "Keras": ["train/a/1.jpg", "train/b/2.jpg", "validation/a/3.jpg", "validation/b/4.jpg"],
    "Ultralytics": ["train/a/1.jpg", "train/b/2.jpg", "val/a/3.jpg", "val/b/4.jpg"],
    "Roboflow": ["train/a/1.jpg", "train/b/2.jpg", "valid/a/3.jpg", "valid/b/4.jpg"],
    "Kaggle": ["Training/a/1.jpg", "Training/b/2.jpg", "Testing/a/3.jpg", "Testing/b/4.jpg"],
    "Kaggle, sets": ["training_set/a/1.jpg", "training_set/b/2.jpg", "test_set/a/3.jpg", "test_set/b/4.jpg"],
    "wrapped": ["seg_train/seg_train/a/1.jpg", "seg_train/seg_train/b/2.jpg", "seg_test/seg_test/a/3.jpg"],
    "in an archive's folder": ["pets/train/a/1.jpg", "pets/train/b/2.jpg", "pets/TEST/b/3.jpg"],
    "flat test beside val": ["train/a/1.jpg", "train/b/2.jpg", "val/b/3.jpg", "test/4.jpg", "test/5.jpg"],
}


def write(folder: Path, names: Iterable[str], size: tuple[int, int] = (6, 8)) -> None:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size, 3), 5 * number, np.uint8)).save(path)


@pytest.mark.parametrize("layout", CLASSIFIED)
def test_images_of_classes_are_found(tmp_path: Path, layout: str) -> None:
    names = CLASSIFIED[layout]
    write(tmp_path, names)
    data = ImageFolder(path=str(tmp_path)).load()
    used = [name for name in names if len(Path(name).parts) > 2]
    trained = [name for name in used if part_of(Path(name).parts[-3]) == "train" or "train" in name.lower()]
    assert data.class_names == ("a", "b")
    assert sorted(data.train.names) == sorted(str(tmp_path / name) for name in trained)
    assert sorted(data.validation.names) == sorted(str(tmp_path / name) for name in used if name not in trained)
    for split in (data.train, data.validation):
        assert [name.count("/a/") for name in split.names] == (split.labels == 0).astype(int).tolist()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(
            ("Train", "train"),
            ("TRAINING", "train"),
            ("train_set", "train"),
            ("trainset", "train"),
            ("seg_train", "train"),
        ),
        *(("val2017", "val"), ("Valid", "val"), ("dev", "val"), ("validation_set", "val"), ("test-images", "test")),
        *(("train_station", None), ("trainer", None), ("testicle", None), ("cat", None), ("trainannot", None)),
    ],
)
def test_names_of_parts(name: str, part: str | None) -> None:
    assert part_of(name) == part


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path, [f"{name}/{number}.png" for name in ("bus", "car", "train")])
    data = ImageFolder(path=str(tmp_path)).load()
    assert data.class_names == ("bus", "car", "train")
    assert len(data.train.labels) + len(data.validation.labels) == 15


def test_a_flat_test_part_alone_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, [*(f"train/{name}/{number}.png" for name in "ab" for number in range(5)), "test/1.png"])
    data = ImageFolder(path=str(tmp_path)).load()
    assert (len(data.train.labels), len(data.validation.labels)) == (8, 2)
    assert any("1 image in no folder of a class" in note for note in data.notes)
    assert any("the share 0.2" in note for note in data.notes)


def test_a_part_with_one_folder_that_is_no_class_is_passed_over(tmp_path: Path) -> None:
    trained = [f"train/{name}/images/{number}.png" for name in "ab" for number in range(5)]
    write(tmp_path, [*trained, "val/images/1.png", "test/unknown/2.png"])
    data = ImageFolder(path=str(tmp_path)).load()
    assert (len(data.train.labels), len(data.validation.labels)) == (8, 2)
    said = "\n".join(data.notes)
    for part in ("val", "test"):
        assert f"{tmp_path / part} with 1 image is not used" in said
    write(tmp_path, ["test/other/3.png"])
    with pytest.raises(DataError, match="has other and unknown, which"):
        ImageFolder(path=str(tmp_path)).load()


def test_what_is_left_unused_is_said(tmp_path: Path) -> None:
    write(tmp_path, ["train/a/1.png", "train/a/deep/2.png", "train/b/3.png", "val/b/4.png", "test/a/5.png"])
    (tmp_path / "train" / "a" / "notes.txt").write_text("x")
    (tmp_path / "test" / "a" / "copy.png").write_bytes((tmp_path / "train" / "b" / "3.png").read_bytes())
    data = loaded(ImageFolder(path=str(tmp_path)))
    said = "\n".join([*data.notes, *untrained(data)])
    for words in (
        "1 of 3 images lie in folders within the classes'",
        "1 file with a name that is no image's (.txt) is passed over",
        f"{tmp_path / 'val'} is for validation, and {tmp_path / 'test'} for test",
        "no image in the validation part of 1 class: a",
        "no image in the test part of 1 class: b",
        f"1 test image of 2 is among those trained on too, such as {tmp_path / 'test' / 'a' / 'copy.png'}",
    ):
        assert words in said
    data = ImageFolder(path=str(tmp_path), held_out="val").load()
    assert data.validation.labels.tolist() == [1]


def pairs(folder: Path, images: str, masks: str, count: int = 4) -> None:
    """Images and masks of one label each; {} is their number."""
    for number in range(count):
        for name, array in (
            (images, np.full((6, 8, 3), 9 * number, np.uint8)),
            (masks, np.full((6, 8), number % 3, np.uint8)),
        ):
            path = folder / name.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)


def voc(folder: Path) -> dict[str, object]:
    base = folder / "VOCdevkit" / "VOC2012"
    pairs(base, "JPEGImages/2007_00{}.jpg", "SegmentationClass/2007_00{}.png")
    pairs(base, "JPEGImages/other_{}.jpg", "SegmentationObject/2007_00{}.png")
    lists = base / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (base / "Annotations").mkdir()
    (base / "Annotations" / "2007_000.xml").write_text("<annotation/>")
    for name, numbers in (("train", "013"), ("val", "2"), ("trainval", "0123")):
        (lists / f"{name}.txt").write_text("".join(f"2007_00{number}\n" for number in numbers))
    return {"train": ["2007_000", "2007_001", "2007_003"], "test": ["2007_002"]}


def camvid(folder: Path) -> dict[str, object]:
    for part, annotated in (("train", "train_labels"), ("val", "val_labels")):
        pairs(folder, f"{part}/{part}{{}}.png", f"{annotated}/{part}{{}}_L.png", 2)
    return {"train": ["train0", "train1"], "test": ["val0", "val1"]}


def segnet(folder: Path) -> dict[str, object]:
    for part in ("train", "val", "test"):
        pairs(folder, f"{part}/{part}{{}}.png", f"{part}annot/{part}{{}}.png", 2)
        (folder / f"{part}.txt").write_text(
            f"/SegNet/CamVid/{part}/{part}0.png /SegNet/CamVid/{part}annot/{part}0.png\n"
        )
    return {"train": ["train0", "train1"], "validation": ["val0", "val1"], "test": ["test0", "test1"]}


def cityscapes(folder: Path) -> dict[str, object]:
    for part in ("train", "val", "test"):
        name = f"{part}/ulm/ulm_{part}{{}}"
        pairs(folder, f"leftImg8bit/{name}_leftImg8bit.png", f"gtFine/{name}_gtFine_labelIds.png", 2)
        pairs(folder, f"leftImg8bit/{name}_leftImg8bit.png", f"gtFine/{name}_gtFine_instanceIds.png", 2)
        pairs(folder, f"leftImg8bit/{name}_leftImg8bit.png", f"gtFine/{name}_gtFine_color.png", 2)
    return {
        "train": ["ulm_train0_leftImg8bit", "ulm_train1_leftImg8bit"],
        "test": ["ulm_val0_leftImg8bit", "ulm_val1_leftImg8bit"],
    }


def ade20k(folder: Path) -> dict[str, object]:
    for part in ("training", "validation"):
        pairs(folder, f"images/{part}/{part}{{}}.jpg", f"annotations/{part}/{part}{{}}.png", 2)
    return {"train": ["training0", "training1"], "test": ["validation0", "validation1"]}


def coco_stuff(folder: Path) -> dict[str, object]:
    for part in ("train2017", "val2017"):
        pairs(folder, f"images/{part}/{part}{{}}.jpg", f"stuffthingmaps/{part}/{part}{{}}.png", 2)
    return {"train": ["train20170", "train20171"], "test": ["val20170", "val20171"]}


def pets(folder: Path) -> dict[str, object]:
    pairs(folder, "images/Bombay_{}.jpg", "annotations/trimaps/Bombay_{}.png")
    (folder / "annotations" / "trainval.txt").write_text("Bombay_1 6 1 5\nBombay_3 6 1 5\n")
    (folder / "annotations" / "test.txt").write_text("Bombay_0 6 1 5\nBombay_2 6 1 5\n")
    return {"train": ["Bombay_1", "Bombay_3"], "test": ["Bombay_0", "Bombay_2"]}


def side_by_side(folder: Path) -> dict[str, object]:
    for part in ("train", "valid"):
        pairs(folder, f"{part}/{part}{{}}.jpg", f"{part}/{part}{{}}_mask.png", 2)
    (folder / "train" / "_classes.csv").write_text("Pixel Value, Class\n0, background\n")
    return {"train": ["train0", "train1"], "test": ["valid0", "valid1"]}


def mmseg(folder: Path) -> dict[str, object]:
    for part in ("train", "val"):
        pairs(folder, f"img_dir/{part}/{part}{{}}.jpg", f"ann_dir/{part}/{part}{{}}.png", 2)
    return {"train": ["train0", "train1"], "test": ["val0", "val1"]}


@pytest.mark.parametrize("layout", [mmseg, voc, camvid, segnet, cityscapes, ade20k, coco_stuff, pets, side_by_side])
def test_images_and_masks_are_found(tmp_path: Path, layout: object) -> None:
    expected = layout(tmp_path)  # type: ignore[operator]
    data = SegmentationFolder(path=str(tmp_path)).load()
    assert list(data.parts) == (["train", "validation", "test"] if len(expected) == 3 else ["train", "validation"])
    for split, names in zip(data.parts.values(), expected.values(), strict=True):
        assert [Path(name).stem for name in split.names] == names
        for name, label in zip(split.names, split.labels, strict=True):
            own = Path(name).stem.removesuffix("_leftImg8bit")
            assert (label == int(own[-1]) % 3).all()


def test_unused_masks_and_images_are_said(tmp_path: Path) -> None:
    cityscapes(tmp_path / "a")
    said = "\n".join(SegmentationFolder(path=str(tmp_path / "a")).load().notes)
    assert "2 files ending in _gtFine_color are not used" in said
    assert "2 files ending in _gtFine_instanceIds are not used" in said
    assert f"{tmp_path / 'a' / 'leftImg8bit' / 'test'} with 2 files is not used" in said
    other = SegmentationFolder(path=str(tmp_path / "a"), mask_suffix="_gtFine_instanceIds").load()
    assert len(other.train.labels) == 2
    voc(tmp_path / "b")
    said = "\n".join(SegmentationFolder(path=str(tmp_path / "b")).load().notes)
    assert "4 images of 8 in" in said


def listed(folder: Path, train: str, names: Iterable[str]) -> SegmentationFolder:
    for number, name in enumerate(names):
        pairs(folder, "images/" + name, "masks/" + Path(name.replace("{", "")).stem + ".png", 0)
        for part, array in (
            ("images", np.full((6, 8, 3), number, np.uint8)),
            ("masks", np.full((6, 8), number, np.uint8)),
        ):
            path = folder / part / (name if part == "images" else name[: name.rindex(".")] + ".png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    (folder / "train.txt").write_bytes(train.encode())
    (folder / "val.txt").write_bytes(b"last.png\n")
    return SegmentationFolder(path=str(folder))


NAMES = ["v1.png", "v1.0.png", "v1.1.png", "my.png", "my cat.png", "a.png", "last.png", "it's, here.png"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("v1.0\nv1.1\n", ["v1.0.png", "v1.1.png"]),
        ("v1.0.png\r\nv1\r\n", ["v1.0.png", "v1.png"]),
        ("my cat\nmy\n", ["my cat.png", "my.png"]),
        ("my cat.png 3 1\nmy 1 1\n", ["my cat.png", "my.png"]),
        ("\ufeffa\nmy\n", ["a.png", "my.png"]),
        ('"my cat.png"\n', ["my cat.png"]),
        ("images/a.png masks/a.png\nimages\\my cat.png\tmasks\\my cat.png\n", ["a.png", "my cat.png"]),
        ("/data/set/images/a.png,/data/set/masks/v1.png\n", ["a.png"]),
        ("it's, here\n", ["it's, here.png"]),
        ("\n\n  a  \n# a comment\n", ["a.png"]),
    ],
)
def test_lists_name_the_files_that_they_say(tmp_path: Path, text: str, names: list[str]) -> None:
    data = listed(tmp_path, text, NAMES).load()
    assert [Path(name).name for name in data.train.names] == names


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_lists_may_have_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    dataset = listed(tmp_path, "a\nmy\n", NAMES)
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "train.txt").write_bytes((mark + "my cat\r\na\r\n").encode(encoding))
    (tmp_path / "classes.txt").write_bytes((mark + "".join(f"é{n}\r\n" for n in range(8))).encode(encoding))
    data = dataset.load()
    assert [Path(name).name for name in data.train.names] == ["my cat.png", "a.png"]
    assert data.class_names[0] == "é0"


@pytest.mark.parametrize("text", ["v1.2\n", "a.jpg\n", "my dog\n", "v\n"])
def test_lists_that_name_no_image_are_answered(tmp_path: Path, text: str) -> None:
    names = [name for name in NAMES if name != "my.png"]
    with pytest.raises(DataError, match="of which there is no image"):
        listed(tmp_path, text, names).load()


def test_names_that_stand_twice_and_images_in_no_list_are_said(tmp_path: Path) -> None:
    data = listed(tmp_path, "a\nmy\na.png\n", NAMES).load()
    assert len(data.train.labels) == 2
    assert "names 1 image more than once: a.png; each is used once" in "\n".join(data.notes)
    assert "5 images of 8 in" in "\n".join(data.notes)


def test_lists_of_what_has_no_masks_are_passed_over(tmp_path: Path) -> None:
    dataset = listed(tmp_path, "a\nmy\n", NAMES)
    write(tmp_path, ["images/unknown.png"])
    (tmp_path / "test.txt").write_text("unknown\n")
    data = dataset.load()
    assert [Path(name).name for name in data.validation.names] == ["last.png"]
    assert "none of its 1 images has a mask" in "\n".join(data.notes)


ROAD, SKY = [128, 64, 128], [128, 128, 128]


def coloured(folder: Path) -> None:
    for number in range(5):
        write(folder, [f"images/{number}.png"], (4, 6))
        mask = np.zeros((4, 6, 3), np.uint8)
        mask[:2], mask[2, :3] = SKY, ROAD
        (folder / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")


def test_masks_in_colours(tmp_path: Path) -> None:
    coloured(tmp_path)
    path = str(tmp_path)
    with pytest.raises(DataError, match="not the numbers") as error:
        SegmentationFolder(path=path).load()
    assert "`colours: camvid`" in error.value.help[0]
    data = SegmentationFolder(path=path, colours="camvid").load()
    assert len(data.class_names) == 31
    assert set(np.unique(data.train.labels)) == {-1, data.class_names.index("Road"), data.class_names.index("Sky")}
    data = SegmentationFolder(path=path, colours={"road": ROAD, "sky": SKY, "rest": [0, 0, 0]}).load()
    assert data.class_names == ("road", "sky", "rest")
    assert data.train.labels[0].tolist() == [[1] * 6, [1] * 6, [0] * 3 + [2] * 3, [2] * 6]
    data = SegmentationFolder(path=path, colours=[ROAD, SKY], void=[[0, 0, 0]]).load()
    assert data.train.labels[0].tolist() == [[1] * 6, [1] * 6, [0] * 3 + [-1] * 3, [-1] * 6]
    with pytest.raises(DataError, match=r"the colour \[0, 0, 0\] at row 2, column 3"):
        SegmentationFolder(path=path, colours=[ROAD, SKY]).load()
    data = SegmentationFolder(path=path, colours=[ROAD, SKY], unlisted="ignore").load()
    assert "37.5 % of the masks' pixels" in "\n".join(data.notes)
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nroad,128,64,128\nsky,128,128,128\nvoid,0,0,0\n")
    data = SegmentationFolder(path=path, colours="class_dict.csv", void=[[0, 0, 0]]).load()
    assert data.class_names == ("road", "sky")
    with pytest.raises(DataError, match="no table of colours called camvit") as error:
        SegmentationFolder(path=path, colours="camvit").load()
    assert "camvid" in error.value.help[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"colours": [[0, 0, 0], [0, 0, 0]]},
        {"colours": [[0, 0, 256]]},
        {"colours": []},
        {"colours": {"a": 1}},
        {"colours": "voc", "labels": [1]},
        {"void": [[0, 0, 0]]},
        {"unlisted": "ignore"},
        {"size": [1_000_000, 1_000_000]},
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        SegmentationFolder.model_validate({"path": "x", **fields})


@pytest.mark.parametrize("names", [["train/1.png", "test/2.png"], ["Training/1.png", "val/a/2.png"], ["test/a/1.png"]])
def test_parts_without_classes_are_no_classes(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, names)
    with pytest.raises(DataError, match=r"no folders, one for each class|but no train/"):
        ImageFolder(path=str(tmp_path)).load()


def test_what_lies_beside_the_parts_is_counted(tmp_path: Path) -> None:
    write(tmp_path, ["train/a/1.png", "train/b/2.png", "val/a/3.png", "extra/4.png", "5.png", "6.jpg"])
    (tmp_path / "empty").mkdir()
    said = "\n".join(ImageFolder(path=str(tmp_path)).load().notes)
    for words in (
        f"in {tmp_path} 2 images beside the folders are passed over",
        f"{tmp_path / 'extra'} with 1 image is not used",
        f"{tmp_path / 'empty'} with 0 images is not used",
    ):
        assert words in said
    for part in ("train", "val"):
        pairs(tmp_path / "pairs" / part, "images/{}.jpg", "masks/{}.png", 2)
    write(tmp_path / "pairs", ["extra/4.png", "train/other/4.png", "5.png"])
    said = "\n".join(SegmentationFolder(path=str(tmp_path / "pairs")).load().notes)
    assert f"in {tmp_path / 'pairs'} 3 images are not used: the folder itself (1), extra/ (1) and train/ (1)" in said


@pytest.mark.parametrize("masks", ["train/masks/{}.png", "trainannot/{}.png"])
def test_of_pairs_in_a_train_part_alone_a_share_is_held_out(tmp_path: Path, masks: str) -> None:
    pairs(tmp_path, "train/images/{}.jpg" if "masks" in masks else "train/{}.jpg", masks, 10)
    data = SegmentationFolder(path=str(tmp_path), holdout=0.3).load()
    assert (len(data.train.labels), len(data.validation.labels)) == (7, 3)
    assert "has train/ and no part held out, so a share of" in "\n".join(data.notes)


def test_a_list_of_what_is_held_out_alone_leaves_the_rest_to_train_on(tmp_path: Path) -> None:
    """As CamVid comes for fastai: images/, labels/ with names ending in _P, and valid.txt."""
    pairs(tmp_path, "images/f{}.png", "labels/f{}_P.png", 5)
    write(tmp_path, ["images/bare.png"])
    (tmp_path / "valid.txt").write_text("f1.png\nf3.png\n")
    data = SegmentationFolder(path=str(tmp_path)).load()
    assert [Path(name).stem for name in data.validation.names] == ["f1", "f3"]
    assert [Path(name).stem for name in data.train.names] == ["f0", "f2", "f4"]
    said = "\n".join(data.notes)
    assert f"{tmp_path / 'valid.txt'} says what is held out; the other 3 images are trained on" in said
    assert "1 image without a mask is left out" in said
    (tmp_path / "valid.txt").write_text("".join(f"f{number}\n" for number in range(5)))
    with pytest.raises(DataError, match="so there are none to train on"):
        SegmentationFolder(path=str(tmp_path)).load()


def test_images_and_masks_taken_for_classes_are_told_of(tmp_path: Path) -> None:
    pairs(tmp_path / "a", "images/{}.png", "masks/{}.png", 5)
    said = "\n".join(ImageFolder(path=str(tmp_path / "a")).load().notes)
    assert "images and masks are taken for classes; `segmentation_folder` reads" in said
    voc(tmp_path / "b")
    with pytest.raises(DataError, match="no images in Annotations") as error:
        ImageFolder(path=str(tmp_path / "b" / "VOCdevkit" / "VOC2012")).load()
    assert "`segmentation_folder`" in error.value.help[-1]
    write(tmp_path / "c", [f"{name}/{number}.png" for name in ("images", "cats") for number in range(5)])
    assert "segmentation_folder" not in "\n".join(ImageFolder(path=str(tmp_path / "c")).load().notes)


def test_masks_that_differ_from_their_images_by_the_ending_alone(tmp_path: Path) -> None:
    for part in ("train", "val"):
        pairs(tmp_path / "parts", f"{part}/{part}{{}}.jpg", f"{part}/{part}{{}}.png", 3)
    data = SegmentationFolder(path=str(tmp_path / "parts")).load()
    for split, part in ((data.train, "train"), (data.validation, "val")):
        assert [Path(name).name for name in split.names] == [f"{part}{number}.jpg" for number in range(3)]
        assert [int(label[0, 0]) for label in split.labels] == [0, 1, 2]
    said = "\n".join(data.notes)
    assert f"in {tmp_path / 'parts' / 'train'} the .png files are taken for the 3 masks of the .jpg files" in said
    pairs(tmp_path / "flat", "{}.jpg", "{}.png", 5)
    assert len(SegmentationFolder(path=str(tmp_path / "flat")).load().train.labels) == 4
    write(tmp_path / "flat", ["alone.jpg"])
    with pytest.raises(DataError, match="there is no folder"):
        SegmentationFolder(path=str(tmp_path / "flat")).load()


def test_names_are_the_same_composed_and_decomposed(tmp_path: Path) -> None:
    one, other = "caf\u00e9 \uac00", "cafe\u0301 \u1100\u1161"
    for number, (image, mask, line) in enumerate([(one, other, one), (other, one, one), (one, one, other)]):
        folder = tmp_path / str(number)
        pairs(folder, f"images/{image}{{}}.jpg", f"masks/{mask}{{}}.png", 2)
        (folder / "train.txt").write_text(f"{line}0\n", "utf-8")
        (folder / "val.txt").write_text(f"{line}1.jpg\n", "utf-8")
        data = SegmentationFolder(path=str(folder)).load()
        assert (len(data.train.labels), len(data.validation.labels)) == (1, 1)


def test_classes_of_one_name_are_answered(tmp_path: Path) -> None:
    pairs(tmp_path, "images/{}.jpg", "masks/{}.png", 5)
    (tmp_path / "classes.txt").write_text("sky\nroad\nsky\n")
    with pytest.raises(DataError, match=r"classes\.txt has more than one class called sky"):
        SegmentationFolder(path=str(tmp_path)).load()
    with pytest.raises(DataError, match="`classes` has more than one class called a"):
        SegmentationFolder(path=str(tmp_path), classes=("a", "b", "a")).load()


def test_parts_are_three_or_those_that_are_named(tmp_path: Path) -> None:
    files = [f"{part}/{name}/{part}.png" for part in ("train", "val", "dev", "test") for name in "ab"]
    write(tmp_path, files)
    dataset = ImageFolder(path=str(tmp_path))

    def of(held_out: str | None = None, validation: str | float | None = None) -> list[str]:
        data = loaded(dataset.model_copy(update={"held_out": held_out}), validation)
        return [Path(split.names[0]).stem for split in data.parts.values()]

    assert of() == ["train", "val", "test"]
    assert of("test") == ["train", "test"] and of("VAL") == ["train", "val"]
    assert of(validation="dev") == ["train", "dev", "test"]
    assert of("val", "dev") == ["train", "dev", "val"]
    assert of(validation=0.5) == ["train", "train", "test"]
    for part in (tmp_path / "val", tmp_path / "test"):
        shutil.rmtree(part)
    assert of() == of(validation="dev") == ["train", "dev"]
    with pytest.raises(DataError, match="has no val2, which `validation` names") as missing:
        of(validation="val2")
    assert missing.value.help[1] == "`validation: 0.1` takes a share of what there is to train on"


def test_lists_of_three_parts(tmp_path: Path) -> None:
    pairs(tmp_path, "images/{}.png", "masks/{}.png", 6)
    for part, numbers in (("train", "012"), ("val", "3"), ("test", "4"), ("minival", "5")):
        (tmp_path / f"{part}.txt").write_text("\n".join(numbers))
    dataset = SegmentationFolder(path=str(tmp_path))
    data = loaded(dataset)
    parts = [[Path(name).stem for name in split.names] for split in data.parts.values()]
    assert parts == [["0", "1", "2"], ["3"], ["4"]]
    assert any("1 image of 6" in note and "train.txt, val.txt or test.txt" in note for note in data.notes)
    data = loaded(dataset, "test")
    assert [Path(split.names[0]).stem for split in data.parts.values()] == ["0", "4", "3"]
