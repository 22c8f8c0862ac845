//! Where models run: on the first CUDA device if there is one and the `cuda` feature is on, else on the CPU.

use candle_core::Device;

/// The best device there is.
pub fn best() -> Device {
    #[cfg(feature = "cuda")]
    {
        match Device::cuda_if_available(0) {
            Ok(device) => return device,
            // A CPU is slower but gives the same vectors, so serve and log it.
            Err(error) => tracing::warn!(%error, "CUDA cannot be used; models run on the CPU"),
        }
    }
    Device::Cpu
}

/// A device's name for people: `cpu`, `cuda:0`.
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

/// Logs every CUDA device that the driver sees.
#[cfg(feature = "cuda")]
pub fn announce() {
    use cudarc::driver::CudaContext;

    // If the driver's library is missing, cudarc panics instead of returning an error.
    let listed = std::panic::catch_unwind(|| -> Result<(), cudarc::driver::DriverError> {
        for index in 0..usize::try_from(CudaContext::device_count()?).unwrap_or_default() {
            let context = CudaContext::new(index)?;
            let (major, minor) = context.compute_capability()?;
            let name = context.name()?;
            let bytes = context.total_mem()?;
            tracing::info!(device = format!("cuda:{index}"), name, bytes, capability = format!("{major}.{minor}"));
        }
        Ok(())
    });
    match listed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(?error, "CUDA devices cannot be listed; check the driver"),
        Err(_) => tracing::warn!("the CUDA driver library is missing; models run on the CPU"),
    }
}

/// Without the `cuda` feature there is nothing to list.
#[cfg(not(feature = "cuda"))]
pub fn announce() {}
