"""Joints in a picture of one person, from a file that bench.export wrote; needs onnxruntime, numpy and opencv."""

import json
import sys

import cv2
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
told = session.get_modelmeta().custom_metadata_map
_, height, width = json.loads(told["input"])
image = cv2.imread(sys.argv[2])
# The whole picture and a quarter more, in the input's shape: pixel p of the picture is at (p - corner) / step.
step = 1.25 * max(image.shape[0] / height, image.shape[1] / width)
corner = np.array(image.shape[1::-1]) / 2 - step * np.array([width, height]) / 2
crop = cv2.warpAffine(image, np.column_stack((np.eye(2), -corner)) / step, (width, height))
pixels = (crop[:, :, ::-1] / 255 - json.loads(told["mean"])) / json.loads(told["std"])
(heatmaps,) = session.run(None, {"images": pixels.transpose(2, 0, 1)[None].astype(np.float32)})[0]
for joint, heatmap in zip(json.loads(told["joints"]), heatmaps, strict=True):
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    place = corner + step * np.array([x * width / heatmap.shape[1], y * height / heatmap.shape[0]])
    print(f"{joint} {place[0]:.1f} {place[1]:.1f} {heatmap.max():.4f}")
