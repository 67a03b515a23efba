"""The child process: llama.cpp's server around one GGUF file, for as long as its parent lives.

Run by its path, and importing nothing of the router, so that it holds nothing but the model.
Standard input brings one line of JSON, the settings, and stays open: its end is the parent's end.
Standard output carries one line of JSON, ``{"url": …}``, when requests are taken. Whatever
llama.cpp says goes to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from importlib import import_module
from typing import Any

#: Megabytes for prompts of conversations that have no slot any more; llama.cpp would take 8,192.
PROMPT_CACHE_MIB = 256
ERRORS_ONLY = 1
PR_SET_PDEATHSIG = 1


def main() -> None:
    settings = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=end_with_input, daemon=True).start()
    if sys.platform == "linux":
        end_with_parent(settings["parent"])
    # llama.cpp's own words on standard output must not be taken for ours.
    out = os.dup(1)
    os.dup2(2, 1)
    server = serve(settings)
    os.write(out, json.dumps({"url": server.listening_address}).encode() + b"\n")
    threading.Event().wait()


def end_with_input() -> None:
    """End this process when the other end of standard input closes."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def end_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent: loading a model holds up the thread that watches."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def serve(settings: dict[str, Any]) -> Any:
    xllamacpp = import_module("xllamacpp")  # only here, so that the watch over the parent stands before
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = {settings["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["key"]]
    params.ui = False
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["context"] * settings["slots"]
    params.fit_params = False
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    params.n_gpu_layers = 0
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.warmup = False
    params.verbosity = ERRORS_ONLY
    params.use_jinja = True
    params.chat_template = settings["template"]
    for name, value in settings["sampling"].items():
        setattr(params.sampling, name, value)
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
