"""Records tests/importing/recorded.tflite, which LiteRT's converter wrote, and what its interpreter gives for it.

python -m tests.importing.record_tflite PYTHON_WITH_LITERT
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from archspec.exporting.subject import subject_of
from archspec.exporting.tflite import write

HERE = Path(__file__).parent
SPEC = """
archspec: 1
name: many-kinds
input: {height: 12, width: 12, channels: 3}
layers:
  - conv: {name: stem, filters: 8, kernel: 3, stride: 2, pad: same}
  - batch_norm: {name: norm}
  - hard_swish
  - depthwise_conv: {name: deep, kernel: 3, pad: same, stride: 2}
  - relu6
  - gelu: {approximate: true}
  - conv: {name: wide, filters: 16, kernel: 1}
  - silu: {name: wide_out}
  - global_avg_pool: {name: seen, keep_dims: true}
  - conv: {name: gate, filters: 16, kernel: 1}
  - sigmoid: {name: opened}
  - multiply: {from: [wide_out, opened], name: gated}
  - depth_to_space: 2
  - leaky_relu: {slope: 0.1}
  - max_pool: {window: 2, name: pooled}
  - concat: {from: [pooled, pooled]}
  - channel_shuffle: 2
  - flatten
  - dense: {units: 5, name: head}
  - softmax
"""
RUN = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(sys.argv[1])
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.load(sys.argv[2]))
interpreter.invoke()
np.save(sys.argv[3], interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
"""


def main(python: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spec, given, came = (Path(folder) / name for name in ("net.yaml", "in.npy", "out.npy"))
        spec.write_text(SPEC, "utf-8")
        subject = subject_of(str(spec), None, notes=[])
        rng = np.random.default_rng(0)
        arrays = {
            name: np.abs(rng.standard_normal(array.shape, np.float32)) + 0.2
            if name.endswith(".var")
            else rng.standard_normal(array.shape, np.float32) * 0.5
            for name, array in subject.arrays.items()
        }
        object.__setattr__(subject, "arrays", arrays)
        write(subject, HERE / "recorded.tflite", litert=Path(python))
        x = rng.standard_normal((1, 12, 12, 3), np.float32)
        np.save(given, x)
        subprocess.run([python, "-c", RUN, str(HERE / "recorded.tflite"), str(given), str(came)], check=True)
        np.savez(HERE / "recorded_tflite.npz", x=x, y=np.load(came))


if __name__ == "__main__":
    main(sys.argv[1])
