"""Exports a checkpoint with Optimum: export_optimum.py MODEL_DIR OUT TASK"""

import sys

from optimum.exporters.onnx import main_export

main_export(sys.argv[1], sys.argv[2], task=sys.argv[3], opset=18)
