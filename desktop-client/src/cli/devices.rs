//! `downbeat devices`: lists the outputs, as `--device` takes them.

use downbeat_audio::list_devices;
use downbeat_command_line::print;

/// Runs the command.
pub(super) fn run() -> anyhow::Result<()> {
    let devices = list_devices()?;
    anyhow::ensure!(!devices.is_empty(), "there is no output device");
    for device in devices {
        let mark = if device.is_default { '*' } else { ' ' };
        print(format_args!("{mark} {}\n    {}\n", device.name, device.id));
    }
    Ok(())
}
