"""The smallest published network of each family, for scripts that have only Paddle or only PyTorch."""

JOINTS = 17
INPUT_SIZE, HEATMAP_SIZE = (192, 256), (48, 64)  # width, height

# Settings of MODEL by the names of `torch_networks.NETWORKS`.
MODELS = {
    "pose_resnet_50": {"NAME": "pose_resnet", "DEPTH": 50},
    "pose_hrnet_w32": {"NAME": "pose_hrnet", "WIDTH": 32},
    "hourglass_4x128": {"NAME": "hourglass", "NUM_STACKS": 4, "NUM_FEATURES": 128},
    "pose_ppnet_m2_d2_w32": {"NAME": "pose_ppnet", "NUM_MODULES": 2, "NUM_BLOCKS": 2, "WIDTH": 32},
    "lp_net_50": {"NAME": "lp_net", "DEPTH": 50, "USE_GCB": True},
    "lpn_50": {"NAME": "lpn", "DEPTH": 50, "ATTENTION": "gc"},
}
