"""ONNX, emitted from the graph: each kind of layer writes its own nodes.

What a reader of these files finds in them:

- A layer's last node is named as the layer, its path with `/` for `.` (`layer1/0/conv2`), and so is that node's first
  output, unless it is an output of the network, which has the output's name, or an input or another output has that
  name (`NAME/value`). Nodes that come before it in a layer of several have a name behind the layer's (`gelu1/erf`).
  Where the network gives one value twice, or an input as it is, an `Identity` more has the name of the output.
- Each node has `metadata_props`: `archspec.node`, the path of the layer that it is a part of; `archspec.kind`, the kind
  of that layer; and on the last node of a layer `archspec.fields`, its fields as the language writes them, as JSON.
  All nodes with one `archspec.node` make one layer; its inputs are the values that come from outside them, in the order
  of the layer's inputs. `archspec.inputs`, on the last node too, is the JSON list of what the layer is given, by the
  paths of layers and the names of inputs: a layer that is there only for its shape (`like`) is in this list alone.
- Initialisers are named as checkpoints have arrays (`layer1.0.conv2.kernel`), under the path of the layer that owns
  them: a layer that shares another's uses that one's. Their axes are PyTorch's: kernels OIHW, of dense layers OI with
  the columns in the order of ONNX's flattened map, factors of maps (C, 1, 1). `partial_conv` has its kernel with zeros
  where nothing is connected, `locally_connected` its kernel as (places, taps, C, filters) and its bias as
  (filters, H, W). Constants of a layer lie beside (`lrn1.beta`).
- Nodes that are no layer's (`--with-preprocessing`, `Identity` of an output) have no such properties, and names that
  begin with `preprocessing/` and `output/`.
- The model's `metadata_props`: `archspec.version`, `archspec.network`, and of each input `NAME.kind`, `NAME.layout`,
  `NAME.range`, `NAME.mean`, … as JSON; `classes`, a JSON list.
"""

from archspec.exporting.onnx.emitters import emits
from archspec.exporting.onnx.model import supports, write

__all__ = ["emits", "supports", "write"]
