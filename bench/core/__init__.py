"""What every command rests on. Nothing here imports PyTorch, the zoo, OpenCV or pandas."""
