"""Small helpers of many rooms: devices, images, precision, tensors, pretrained weights."""
