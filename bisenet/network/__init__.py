"""BiSeNet in torch, its backbones, published checkpoint layouts, and the weights at hand."""
