//! Temperatures from sysfs.

use std::fs;
use std::path::Path;

/// What a sensor may say, degrees Celsius. Beyond that it is broken or not connected (many say 0, -273 or 255 then).
const PLAUSIBLE_CELSIUS: std::ops::Range<f64> = 1.0..150.0;

/// The hottest plausible sensor below a sysfs root, degrees Celsius.
pub(super) fn hottest(sysfs: &Path) -> Option<f64> {
    let thermal =
        readings(&sysfs.join("class/thermal"), |folder, file| folder.starts_with("thermal_zone") && file == "temp");
    let monitors = readings(&sysfs.join("class/hwmon"), |_, file| file.starts_with("temp") && file.ends_with("_input"));
    thermal.into_iter().chain(monitors).filter(|celsius| PLAUSIBLE_CELSIUS.contains(celsius)).reduce(f64::max)
}

/// Reads all files of all folders that are wanted: thousandths of a degree.
fn readings(class: &Path, is_wanted: impl Fn(&str, &str) -> bool) -> Vec<f64> {
    let mut found = Vec::new();
    for folder in fs::read_dir(class).into_iter().flatten().flatten() {
        let folder_name = folder.file_name();
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let file_name = file.file_name();
            if is_wanted(&folder_name.to_string_lossy(), &file_name.to_string_lossy())
                && let Ok(text) = fs::read_to_string(file.path())
                && let Ok(thousandths) = text.trim().parse::<f64>()
            {
                found.push(thousandths / 1000.0);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_plausible_sensor_counts() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(hottest(root.path()), None);
        let write = |path: &str, content: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write("class/thermal/thermal_zone0/temp", "48250\n");
        write("class/thermal/cooling_device0/temp", "99000\n");
        write("class/hwmon/hwmon0/temp1_input", "51500\n");
        write("class/hwmon/hwmon0/temp2_input", "255000\n");
        write("class/hwmon/hwmon0/temp3_crit", "105000\n");
        write("class/hwmon/hwmon1/temp1_input", "broken\n");
        assert_eq!(hottest(root.path()), Some(51.5));
    }
}
