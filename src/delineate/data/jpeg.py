"""What is left of a picture after JPEG."""

import cv2
import numpy as np

from delineate.core.image import ImageArray


def compressed(image: ImageArray, quality: int) -> ImageArray:
    """Return a picture as JPEG keeps it, written and read in memory.

    Args:
        image: (h, w, 3) uint8 RGB.
        quality: 1 to 100.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
