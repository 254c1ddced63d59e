"""Whether an exported network is the same network."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.extras import need
from harness.lazy import numpy, torch
from harness.metrics import Metric
from harness.probes._networks import BATCH, as_array, at_rest, outputs_of, test_split
from harness.probes.base import POSITIVE, Fitted, Measured, Probe, other_targets

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn


class ONNXExport(Probe):
    """A trained network beside its export to ONNX, run by ONNX Runtime, on the test split.

    It needs `pip install 'harness[onnx]'`.
    """

    name: Literal["onnx_export"]

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "export_difference", "minimize", "",
            "largest absolute difference of outputs, by the largest absolute output", POSITIVE,
        ),
        Metric(
            "export_agreement", "maximize", "", "share of test examples with the same answer",
            (0.0, 1.0),
        ),
        Metric(
            "export_difference_by_lead", "minimize", "",
            "largest difference of outputs, by half the lead of the most likely class, of the test"
            " example where that is largest; below 1 no answer changes", POSITIVE,
        ),
    )  # fmt: skip

    def refusal(self, workload: Any) -> str | None:
        """It needs a class for each input."""
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Export the network, and give how far its outputs are from those of the export.

        Raises:
            ExtraMissingError: if the packages of ONNX are not installed.
        """
        test, network = test_split(self, fitted), at_rest(fitted.network).cpu()
        inputs = test.inputs.cpu()
        ours = as_array(outputs_of(network, inputs)).astype(numpy.float64)
        theirs = answers(exported(network, inputs[:2]), inputs)
        difference = abs(ours - theirs).max(axis=-1)
        second, first = numpy.sort(ours, axis=-1)[:, -2:].T
        lead = (first - second).clip(min=1e-12)
        return Measured(
            {
                "export_difference": float(difference.max() / abs(ours).max()),
                "export_difference_by_lead": float((2 * difference / lead).max()),
                "export_agreement": float((ours.argmax(-1) == theirs.argmax(-1)).mean()),
            }
        )


def exported(network: nn.Module, inputs: Tensor) -> bytes:
    """Return a network as a file of ONNX, for any number of inputs.

    Args:
        network: in evaluation, on the CPU.
        inputs: two or more examples of them, (n, ...).
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        need(package, "the probe onnx_export")
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(network, (inputs,), dynamic_shapes=shapes, verbose=False)
    found: bytes = program.model_proto.SerializeToString()
    return found


def answers(file: bytes, inputs: Tensor) -> NDArray[Any]:
    """Return what ONNX Runtime says of inputs (n, ...), in double precision, (n, ...)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (name,) = [one.name for one in session.get_inputs()]
    parts = [session.run(None, {name: part.numpy()})[0] for part in inputs.split(BATCH)]
    return numpy.concatenate(parts).astype(numpy.float64)
