# Sensor.Community: the live answer, an array with an object per sensor and five minutes. Times are UTC
# without saying so, values texts. A node's sensors are things of their own.
include "oudp";

# $missing: by which a sensor says that it has none, or at which it is known to stick.
def value($name; $missing): [.sensordatavalues[]? | select(.value_type == $name) | .value | number_not($missing)] | .[0]
  // empty;
def particles($name): value($name; [-999, 999.9, 1999.9]);
def base($time): {dateObserved: $time, source: "https://sensor.community"}
  + member("location"; point(.location.longitude; .location.latitude));
def air: member("pm10"; particles("P1")) + member("pm25"; particles("P2")) + member("pm1"; particles("P0"))
  + member("co2"; value("co2_ppm"; [-999, 0]));
def weather: member("temperature"; value("temperature"; [-999, -127, 85]))
  + member("relativeHumidity"; value("humidity"; [-999, 99.9, 1, 0]) | percent_to_share | rounded)
  + member("atmosphericPressure"; value("pressure"; [-999, 0]) | pa_to_hpa | rounded);
def noise: member("LAeq"; value("noise_LAeq"; [-999, 0])) + member("LAmin"; value("noise_LA_min"; [-999, 0]))
  + member("LAmax"; value("noise_LA_max"; [-999, 0]));
def message($feed; $thing; $base; $values):
  if $values == {} then empty else {topic: ((($settings[$feed]) // ("city/" + $feed)) + "/" + $thing),
    payload: ($base + $values)} end;

# The archive's day files: a row has the values under their names. A node's own push to somebody's address: no time, so that
# of receipt; names with the sensor in front (BME280_temperature, SDS_P1), which here are one thing, the node.
def archived: {sensor: {id: .sensor_id}, timestamp: .timestamp, location: {longitude: .lon, latitude: .lat},
  sensordatavalues: [to_entries[] | {value_type: .key, value: .value}]};
def pushed: {sensor: {id: ("node-" + (.esp8266id // .raspiid // .esp32id | tostring))}, timestamp: source.received,
  location: {},
  sensordatavalues: [.sensordatavalues[]? | .value_type |= (tostring
    | sub("^(SDS|SDS011|PMS|HPM|NPM|SPS30|SEN5X|BME280|BMP280|BMP|DHT22|DHT|HTU21D|SHT3X|DNMS|noise_DNMS)_"; "")
    | if startswith("LA") then "noise_" + . else . end)]};

def record: (if type != "object" then {} elif has("sensor_id") then archived elif has("esp8266id") or has("esp32id") or has("raspiid")
  then pushed else . end)
| if (.sensor.id == null) or (.sensordatavalues | type) != "array" then {refused: "no sensor and its values"}
else
  ([.timestamp | utc_time] | .[0]) as $time
  | if $time == null then {refused: "no time that can be read"}
    elif ([.location.indoor? | number] | .[0]) == 1 and $settings["indoor"] != "take" then {ignored: "indoors"}
    else
      ("sc-" + (.sensor.id | tostring)) as $thing | base($time) as $base
      | [message("air"; $thing; $base; air), message("weather"; $thing; $base; weather),
        message("noise"; $thing; $base; noise)]
      | if length == 0 then {ignored: "no value that we know"} else . end
    end
end;
each(record)
